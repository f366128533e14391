;; `{"label": "…", "event": "evt_…"}`: the label stands in the place of the mark, so that two labels are two components.
(core module $guest
  (memory (export "memory") 1)
  (global $next (mut i32) (i32.const 4096))
  (data (i32.const 256) "{\"label\": \"ARGUMENT\", \"event\": \"")

  (func $realloc (export "realloc") (param i32 i32) (param $align i32) (param $size i32) (result i32)
    (local $start i32)
    (local.set $start (i32.and
      (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
      (i32.sub (i32.const 0) (local.get $align))))
    (global.set $next (i32.add (local.get $start) (local.get $size)))
    (if (i32.gt_u (global.get $next) (i32.mul (memory.size) (i32.const 65536))) (then
      (drop (memory.grow (i32.add (i32.shr_u (local.get $size) (i32.const 16)) (i32.const 1))))))
    (local.get $start))

  ;; The event's id is a string whose address lies at 0 and its length at 4 of the arguments.
  (func (export "transform") (param $event i32) (result i32)
    (local $end i32)
    ;; The fixed text ends with the first zero byte.
    (local.set $end (i32.const 256))
    (block $ended (loop $next_byte
      (br_if $ended (i32.eqz (i32.load8_u (local.get $end))))
      (local.set $end (i32.add (local.get $end) (i32.const 1)))
      (br $next_byte)))
    (memory.copy (local.get $end) (i32.load (local.get $event)) (i32.load offset=4 (local.get $event)))
    (local.set $end (i32.add (local.get $end) (i32.load offset=4 (local.get $event))))
    (i32.store16 (local.get $end) (i32.const 0x7d22)) ;; "}
    (i32.store offset=4 (i32.const 16) (i32.const 32))
    (i32.store offset=8 (i32.const 16) (i32.const 1))
    (i32.store offset=4 (i32.const 32) (i32.const 256))
    (i32.store offset=8 (i32.const 32) (i32.sub (i32.add (local.get $end) (i32.const 2)) (i32.const 256)))
    (i32.const 16)))
