;; A component of the world `configurable-plugin` of 1.0.0, as wit-component 0.254 made it, printed. Never changed. It rejects with its
;; configuration as the reason, or skips where that is `null`.
(component
  (type $ty-hookmill:plugin/log@1.0.0 (;0;)
    (instance
      (type (;0;) (func (param "message" string)))
      (export (;0;) "info" (func (type 0)))
    )
  )
  (import "hookmill:plugin/log@1.0.0" (instance $hookmill:plugin/log@1.0.0 (;0;) (type $ty-hookmill:plugin/log@1.0.0)))
  (type $ty-hookmill:plugin/types@1.0.0 (;1;)
    (instance
      (type (;0;) (option string))
      (type (;1;) (record (field "id" string) (field "kind" string) (field "organization" string) (field "inbox" 0) (field "project" 0) (field "accepted-at" string) (field "data" string)))
      (export (;2;) "event" (type (eq 1)))
      (type (;3;) (list string))
      (type (;4;) (record (field "id" string) (field "targets" 3) (field "config" string)))
      (export (;5;) "integration" (type (eq 4)))
      (type (;6;) (enum "post" "put" "patch" "delete"))
      (export (;7;) "method" (type (eq 6)))
      (type (;8;) (list u8))
      (type (;9;) (variant (case "json" string) (case "text" string) (case "bytes" 8)))
      (export (;10;) "body" (type (eq 9)))
      (type (;11;) (option 7))
      (type (;12;) (tuple string string))
      (type (;13;) (list 12))
      (type (;14;) (option 13))
      (type (;15;) (record (field "body" 10) (field "target" 0) (field "method" 11) (field "path" 0) (field "query" 14) (field "headers" 14) (field "content-type" 0)))
      (export (;16;) "request" (type (eq 15)))
      (type (;17;) (list 16))
      (type (;18;) (variant (case "deliver" 17) (case "skip" string) (case "reject" string)))
      (export (;19;) "outcome" (type (eq 18)))
    )
  )
  (import "hookmill:plugin/types@1.0.0" (instance $hookmill:plugin/types@1.0.0 (;1;) (type $ty-hookmill:plugin/types@1.0.0)))
  (core module $main (;0;)
    (type (;0;) (func (param i32 i32)))
    (type (;1;) (func (param i32 i32 i32 i32) (result i32)))
    (type (;2;) (func (result i32)))
    (type (;3;) (func (param i32) (result i32)))
    (import "hookmill:plugin/log@1.0.0" "info" (func $info (;0;) (type 0)))
    (memory (;0;) 1)
    (global $next (;0;) (mut i32) i32.const 8192)
    (export "memory" (memory 0))
    (export "cabi_realloc" (func $realloc))
    (export "hookmill:plugin/configuration@1.0.0#schema" (func 2))
    (export "hookmill:plugin/transformer@1.0.0#transform" (func 3))
    (func $realloc (;1;) (type 1) (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      global.get $next
      i32.const 7
      i32.add
      i32.const -8
      i32.and
      local.set $at
      local.get $at
      local.get 3
      i32.add
      global.set $next
      local.get $at
    )
    (func (;2;) (type 2) (result i32)
      i32.const 16
      i32.const 100
      i32.store
      i32.const 20
      i32.const 28
      i32.store
      i32.const 16
    )
    (func (;3;) (type 3) (param $event i32) (result i32)
      local.get $event
      i32.load offset=80
      local.get $event
      i32.load offset=84
      call $info
      i32.const 512
      i32.const 1
      i32.const 2
      local.get $event
      i32.load offset=80
      i32.load8_u
      i32.const 110
      i32.eq
      select
      i32.store8
      i32.const 516
      local.get $event
      i32.load offset=80
      i32.store
      i32.const 520
      local.get $event
      i32.load offset=84
      i32.store
      i32.const 512
    )
    (data (;0;) (i32.const 100) "{\22type\22: [\22object\22, \22null\22]}")
    (@producers
      (processed-by "wit-component" "0.254.2")
    )
  )
  (core module $wit-component-shim-module (;1;)
    (type (;0;) (func (param i32 i32)))
    (table (;0;) 1 1 funcref)
    (export "0" (func 0))
    (export "$imports" (table 0))
    (func (;0;) (type 0) (param i32 i32)
      local.get 0
      local.get 1
      i32.const 0
      call_indirect (type 0)
    )
    (@producers
      (processed-by "wit-component" "0.254.2")
    )
  )
  (core module $wit-component-fixup (;2;)
    (type (;0;) (func (param i32 i32)))
    (import "" "0" (func (;0;) (type 0)))
    (import "" "$imports" (table (;0;) 1 1 funcref))
    (elem (;0;) (i32.const 0) func 0)
    (@producers
      (processed-by "wit-component" "0.254.2")
    )
  )
  (core instance $wit-component-shim-instance (;0;) (instantiate $wit-component-shim-module))
  (alias export $hookmill:plugin/types@1.0.0 "event" (type $event (;2;)))
  (alias export $hookmill:plugin/types@1.0.0 "integration" (type $integration (;3;)))
  (alias export $hookmill:plugin/types@1.0.0 "method" (type $method (;4;)))
  (alias export $hookmill:plugin/types@1.0.0 "body" (type $body (;5;)))
  (alias export $hookmill:plugin/types@1.0.0 "request" (type $request (;6;)))
  (alias export $hookmill:plugin/types@1.0.0 "outcome" (type $outcome (;7;)))
  (alias core export $wit-component-shim-instance "0" (core func $indirect-hookmill:plugin/log@1.0.0-info (;0;)))
  (core instance $hookmill:plugin/log@1.0.0 (;1;)
    (export "info" (func $indirect-hookmill:plugin/log@1.0.0-info))
  )
  (core instance $main (;2;) (instantiate $main
      (with "hookmill:plugin/log@1.0.0" (instance $hookmill:plugin/log@1.0.0))
    )
  )
  (alias core export $main "memory" (core memory $memory (;0;)))
  (alias core export $wit-component-shim-instance "$imports" (core table $"shim table" (;0;)))
  (alias export $hookmill:plugin/log@1.0.0 "info" (func $info (;0;)))
  (alias core export $main "cabi_realloc" (core func $realloc (;1;)))
  (core func $"#core-func2 indirect-hookmill:plugin/log@1.0.0-info" (@name "indirect-hookmill:plugin/log@1.0.0-info") (;2;) (canon lower (func $info) (memory $memory) string-encoding=utf8))
  (core instance $fixup-args (;3;)
    (export "$imports" (table $"shim table"))
    (export "0" (func $"#core-func2 indirect-hookmill:plugin/log@1.0.0-info"))
  )
  (core instance $fixup (;4;) (instantiate $wit-component-fixup
      (with "" (instance $fixup-args))
    )
  )
  (type (;8;) (func (result string)))
  (alias core export $main "hookmill:plugin/configuration@1.0.0#schema" (core func $hookmill:plugin/configuration@1.0.0#schema (;3;)))
  (func $schema (;1;) (type 8) (canon lift (core func $hookmill:plugin/configuration@1.0.0#schema) (memory $memory) string-encoding=utf8))
  (component $hookmill:plugin/configuration@1.0.0-shim-component (;0;)
    (type (;0;) (func (result string)))
    (import "import-func-schema" (func (;0;) (type 0)))
    (type (;1;) (func (result string)))
    (export (;1;) "schema" (func 0) (func (type 1)))
  )
  (instance $hookmill:plugin/configuration@1.0.0-shim-instance (;2;) (instantiate $hookmill:plugin/configuration@1.0.0-shim-component
      (with "import-func-schema" (func $schema))
    )
  )
  (export $hookmill:plugin/configuration@1.0.0 (;3;) "hookmill:plugin/configuration@1.0.0" (instance $hookmill:plugin/configuration@1.0.0-shim-instance))
  (type (;9;) (func (param "event" $event) (param "integration" $integration) (result $outcome)))
  (alias core export $main "hookmill:plugin/transformer@1.0.0#transform" (core func $hookmill:plugin/transformer@1.0.0#transform (;4;)))
  (func $transform (;2;) (type 9) (canon lift (core func $hookmill:plugin/transformer@1.0.0#transform) (memory $memory) (realloc $realloc) string-encoding=utf8))
  (component $hookmill:plugin/transformer@1.0.0-shim-component (;1;)
    (type (;0;) (option string))
    (type (;1;) (record (field "id" string) (field "kind" string) (field "organization" string) (field "inbox" 0) (field "project" 0) (field "accepted-at" string) (field "data" string)))
    (import "import-type-event" (type (;2;) (eq 1)))
    (type (;3;) (list string))
    (type (;4;) (record (field "id" string) (field "targets" 3) (field "config" string)))
    (import "import-type-integration" (type (;5;) (eq 4)))
    (type (;6;) (enum "post" "put" "patch" "delete"))
    (import "import-type-method" (type (;7;) (eq 6)))
    (type (;8;) (list u8))
    (type (;9;) (variant (case "json" string) (case "text" string) (case "bytes" 8)))
    (import "import-type-body" (type (;10;) (eq 9)))
    (type (;11;) (option 7))
    (type (;12;) (tuple string string))
    (type (;13;) (list 12))
    (type (;14;) (option 13))
    (type (;15;) (record (field "body" 10) (field "target" 0) (field "method" 11) (field "path" 0) (field "query" 14) (field "headers" 14) (field "content-type" 0)))
    (import "import-type-request" (type (;16;) (eq 15)))
    (type (;17;) (list 16))
    (type (;18;) (variant (case "deliver" 17) (case "skip" string) (case "reject" string)))
    (import "import-type-outcome" (type (;19;) (eq 18)))
    (import "import-type-event0" (type (;20;) (eq 2)))
    (import "import-type-integration0" (type (;21;) (eq 5)))
    (import "import-type-outcome0" (type (;22;) (eq 19)))
    (type (;23;) (func (param "event" 20) (param "integration" 21) (result 22)))
    (import "import-func-transform" (func (;0;) (type 23)))
    (export (;24;) "event" (type 2))
    (export (;25;) "integration" (type 5))
    (export (;26;) "method" (type 7))
    (export (;27;) "body" (type 10))
    (export (;28;) "request" (type 16))
    (export (;29;) "outcome" (type 19))
    (type (;30;) (func (param "event" 24) (param "integration" 25) (result 29)))
    (export (;1;) "transform" (func 0) (func (type 30)))
  )
  (instance $hookmill:plugin/transformer@1.0.0-shim-instance (;4;) (instantiate $hookmill:plugin/transformer@1.0.0-shim-component
      (with "import-func-transform" (func $transform))
      (with "import-type-event" (type $event))
      (with "import-type-integration" (type $integration))
      (with "import-type-method" (type $method))
      (with "import-type-body" (type $body))
      (with "import-type-request" (type $request))
      (with "import-type-outcome" (type $outcome))
      (with "import-type-event0" (type $event))
      (with "import-type-integration0" (type $integration))
      (with "import-type-outcome0" (type $outcome))
    )
  )
  (export $hookmill:plugin/transformer@1.0.0 (;5;) "hookmill:plugin/transformer@1.0.0" (instance $hookmill:plugin/transformer@1.0.0-shim-instance))
  (@producers
    (processed-by "wit-component" "0.254.2")
  )
)
