;; Has a configuration schema that reaches past its memory.
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
  (func (export "schema") (result i32)
    (i32.store (i32.const 16) (i32.const 4096))
    (i32.store (i32.const 20) (i32.const 0x7fffffff))
    (i32.const 16))
  (func (export "transform") (param $event i32) (result i32)
    (i32.store8 (i32.const 16) (i32.const 1)) ;; skip, of an empty reason
    (i32.const 16)))
