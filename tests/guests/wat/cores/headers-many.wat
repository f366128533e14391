;; Answers with one request of 10,000 headers, all of them `x: y`.
(core module $guest
  (memory (export "memory") 16)
  (data (i32.const 512) "xy")
  (global $next (mut i32) (i32.const 400000))
  (func (export "realloc") (param i32 i32) (param $align i32) (param $size i32) (result i32)
    (local $start i32)
    (local.set $start (i32.and
      (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
      (i32.sub (i32.const 0) (local.get $align))))
    (global.set $next (i32.add (local.get $start) (local.get $size)))
    (local.get $start))
  (func (export "transform") (param $event i32) (result i32)
    (local $at i32)
    (local.set $at (i32.const 65536))
    (loop $more
      (i32.store (local.get $at) (i32.const 512)) (i32.store offset=4 (local.get $at) (i32.const 1))
      (i32.store offset=8 (local.get $at) (i32.const 513)) (i32.store offset=12 (local.get $at) (i32.const 1))
      (local.set $at (i32.add (local.get $at) (i32.const 16)))
      (br_if $more (i32.lt_u (local.get $at) (i32.const 225536))))
    ;; deliver, of one request at 32, which has headers alone.
    (i32.store offset=4 (i32.const 16) (i32.const 32))
    (i32.store offset=8 (i32.const 16) (i32.const 1))
    (i32.store8 offset=52 (i32.const 32) (i32.const 1))
    (i32.store offset=56 (i32.const 32) (i32.const 65536))
    (i32.store offset=60 (i32.const 32) (i32.const 10000))
    (i32.const 16)))
