;; A core module: no component at all.
(module
  (memory (export "memory") 1)
  (func (export "transform") (param i32) (result i32) (i32.const 0)))
