;; The documented payload, by hand; names are taken to need no escapes.
(core module $guest
  (memory (export "memory") 1)
  ;; Where the next block begins. Below lie, from 16, the outcome, from 32 its one request, from 256 the fixed texts.
  (global $next (mut i32) (i32.const 1024))
  (global $out (mut i32) (i32.const 0))
  (data (i32.const 256) "{\"event\": \"")              ;; 11 bytes
  (data (i32.const 272) "\", \"organization\": \"")     ;; 20 bytes
  (data (i32.const 304) "\", \"inbox\": \"")            ;; 13 bytes
  (data (i32.const 320) "\", \"project\": \"")          ;; 15 bytes
  (data (i32.const 336) "\", \"data\": ")               ;; 11 bytes
  (data (i32.const 352) "}")

  (func $realloc (export "realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
    (local $start i32) (local $lacking i32)
    (local.set $start (i32.and
      (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
      (i32.sub (i32.const 0) (local.get $align))))
    (global.set $next (i32.add (local.get $start) (local.get $size)))
    (local.set $lacking (i32.sub (global.get $next) (i32.mul (memory.size) (i32.const 65536))))
    (if (i32.gt_s (local.get $lacking) (i32.const 0)) (then
      (if (i32.eq (memory.grow (i32.add (i32.shr_u (local.get $lacking) (i32.const 16)) (i32.const 1))) (i32.const -1))
        (then (unreachable)))))
    (memory.copy (local.get $start) (local.get $old) (local.get $old_size))
    (local.get $start))

  (func $put (param $text i32) (param $size i32)
    (memory.copy (global.get $out) (local.get $text) (local.get $size))
    (global.set $out (i32.add (global.get $out) (local.get $size))))

  ;; Writes a fixed text and the string whose address and length lie at $string.
  (func $put_pair (param $text i32) (param $size i32) (param $string i32)
    (call $put (local.get $text) (local.get $size))
    (call $put (i32.load (local.get $string)) (i32.load offset=4 (local.get $string))))

  ;; $event: id at 0, kind at 8, organization at 16, inbox at 24 (its case, then the string at 28), project at 36 and 40,
  ;; accepted-at at 48, data at 56. The integration follows at 64.
  (func (export "transform") (param $event i32) (result i32)
    (local $body i32)
    (local.set $body (call $realloc (i32.const 0) (i32.const 0) (i32.const 1)
      (i32.add (i32.const 128) (i32.add (i32.load offset=12 (local.get $event)) (i32.add (i32.load offset=20 (local.get $event))
        (i32.add (i32.load offset=32 (local.get $event)) (i32.add (i32.load offset=44 (local.get $event))
          (i32.load offset=60 (local.get $event)))))))))
    (global.set $out (local.get $body))
    (call $put_pair (i32.const 256) (i32.const 11) (i32.add (local.get $event) (i32.const 8)))
    (call $put_pair (i32.const 272) (i32.const 20) (i32.add (local.get $event) (i32.const 16)))
    (if (i32.load8_u offset=24 (local.get $event)) (then
      (call $put_pair (i32.const 304) (i32.const 13) (i32.add (local.get $event) (i32.const 28)))))
    (if (i32.load8_u offset=36 (local.get $event)) (then
      (call $put_pair (i32.const 320) (i32.const 15) (i32.add (local.get $event) (i32.const 40)))))
    (call $put_pair (i32.const 336) (i32.const 11) (i32.add (local.get $event) (i32.const 56)))
    (call $put (i32.const 352) (i32.const 1))
    ;; deliver, of one request, of a JSON body and nothing else: all else is zero, which is none.
    (i32.store offset=4 (i32.const 16) (i32.const 32))
    (i32.store offset=8 (i32.const 16) (i32.const 1))
    (i32.store offset=4 (i32.const 32) (local.get $body))
    (i32.store offset=8 (i32.const 32) (i32.sub (global.get $out) (local.get $body)))
    (i32.const 16)))
