;; Grows a table by 1,000 elements at a time, for ever; where growing is refused and not a trap, it says so.
(core module $guest
  (memory (export "memory") 16)
  (global $next (mut i32) (i32.const 4096))
  (func (export "realloc") (param i32 i32) (param $align i32) (param $size i32) (result i32)
    (local $start i32)
    (local.set $start (i32.and
      (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
      (i32.sub (i32.const 0) (local.get $align))))
    (global.set $next (i32.add (local.get $start) (local.get $size)))
    (local.get $start))
  (table $table 1 funcref)
  (data (i32.const 256) "growing a table was refused.")
  (func (export "transform") (param $event i32) (result i32)
    (block $refused (loop $again
      (br_if $refused (i32.eq (table.grow $table (ref.null func) (i32.const 1000)) (i32.const -1)))
      (br $again)))
    (i32.store8 (i32.const 16) (i32.const 2))
    (i32.store (i32.const 20) (i32.const 256))
    (i32.store (i32.const 24) (i32.const 28))
    (i32.const 16)))
