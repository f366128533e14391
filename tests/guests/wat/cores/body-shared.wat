;; Answers with 64 requests of 1,000,000 bytes each, all of them the same bytes of 1 MiB of memory.
(core module $guest
  (memory (export "memory") 17)
  (global $next (mut i32) (i32.const 1016384))
  (func (export "realloc") (param i32 i32) (param $align i32) (param $size i32) (result i32)
    (local $start i32)
    (local.set $start (i32.and
      (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
      (i32.sub (i32.const 0) (local.get $align))))
    (global.set $next (i32.add (local.get $start) (local.get $size)))
    (local.get $start))
  (func (export "transform") (param $event i32) (result i32)
    (local $request i32) (local $left i32)
    (local.set $request (i32.const 1024))
    (local.set $left (i32.const 64))
    (loop $again
      (i32.store8 (local.get $request) (i32.const 2)) ;; bytes
      (i32.store offset=4 (local.get $request) (i32.const 16384))
      (i32.store offset=8 (local.get $request) (i32.const 1000000))
      (local.set $request (i32.add (local.get $request) (i32.const 76)))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $again (local.get $left)))
    (i32.store offset=4 (i32.const 16) (i32.const 1024))
    (i32.store offset=8 (i32.const 16) (i32.const 64))
    (i32.const 16)))
