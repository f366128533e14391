(func $schema (result string)
    (canon lift (core func $core "schema") (memory (core memory $core "memory"))))
  (instance $configuration (export "schema" (func $schema)))
  (export "hookmill:plugin/configuration@1.0.0" (instance $configuration))
