;; Gives the host memory at an odd address.
(core module $guest
  (memory (export "memory") 16)
  (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4097))
  (func (export "transform") (param $event i32) (result i32)
    (i32.store8 (i32.const 16) (i32.const 1)) ;; skip, of an empty reason
    (i32.const 16)))
