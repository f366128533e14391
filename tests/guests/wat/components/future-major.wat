;; Written for a contract that is not there yet.
(component
  (core module $guest
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
    (func (export "transform") (param i32 i32) (result i32) (i32.const 16)))
  (core instance $core (instantiate $guest))
  (func $transform (param "event" string) (result string)
    (canon lift (core func $core "transform") (memory (core memory $core "memory")) (realloc (core func $core "realloc"))))
  (instance $transformer (export "transform" (func $transform)))
  (export "hookmill:plugin/transformer@2.0.0" (instance $transformer)))
