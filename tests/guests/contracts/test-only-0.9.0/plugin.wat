;; Logs the event's kind. Sends the data of a `document_text`, and nothing else.
(module
  (import "hookmill:plugin/log@0.9.0" "line" (func $line (param i32 i32)))
  (memory (export "memory") 1)
  (global $free (mut i32) (i32.const 4096))

  (func (export "cabi_realloc") (param i32 i32) (param $align i32) (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
    (global.set $free (i32.add (local.get $at) (local.get $size)))
    (local.get $at))

  ;; The outcome stands at 512: its case, and a text of the second one.
  (func (export "hookmill:plugin/transformer@0.9.0#transform")
    (param $id i32) (param $id-bytes i32) (param $kind i32) (param $kind-bytes i32) (param $data i32) (param $data-bytes i32)
    (result i32)
    (call $line (local.get $kind) (local.get $kind-bytes))
    ;; `document_text` is the one kind of 13 bytes.
    (if (i32.eq (local.get $kind-bytes) (i32.const 13))
      (then
        (i32.store8 (i32.const 512) (i32.const 1))
        (i32.store (i32.const 516) (local.get $data))
        (i32.store (i32.const 520) (local.get $data-bytes))))
    (i32.const 512)))
