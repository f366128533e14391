;; Exports the right interface, without its function.
(component
  (instance $transformer)
  (export "hookmill:plugin/transformer@1.0.0" (instance $transformer)))
