;; A component of the world `plugin` of 1.0.0, as wit-component 0.254 made it, printed. Never changed. It logs at each level, and delivers
;; all that it was given as one text, and a request that has all that a request can have.
(component
  (type $ty-hookmill:plugin/log@1.0.0 (;0;)
    (instance
      (type (;0;) (func (param "message" string)))
      (export (;0;) "debug" (func (type 0)))
      (export (;1;) "info" (func (type 0)))
      (export (;2;) "warn" (func (type 0)))
      (export (;3;) "error" (func (type 0)))
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
    (type (;2;) (func (param i32)))
    (type (;3;) (func (param i32 i32 i32)))
    (type (;4;) (func (param i32) (result i32)))
    (import "hookmill:plugin/log@1.0.0" "debug" (func $debug (;0;) (type 0)))
    (import "hookmill:plugin/log@1.0.0" "info" (func $info (;1;) (type 0)))
    (import "hookmill:plugin/log@1.0.0" "warn" (func $warn (;2;) (type 0)))
    (import "hookmill:plugin/log@1.0.0" "error" (func $error (;3;) (type 0)))
    (memory (;0;) 2)
    (global $next (;0;) (mut i32) i32.const 8192)
    (global $end (;1;) (mut i32) i32.const 4096)
    (export "memory" (memory 0))
    (export "cabi_realloc" (func $realloc))
    (export "hookmill:plugin/transformer@1.0.0#transform" (func 8))
    (func $realloc (;4;) (type 1) (param i32 i32 i32 i32) (result i32)
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
    (func $put (;5;) (type 2) (param $string i32)
      global.get $end
      local.get $string
      i32.load
      local.get $string
      i32.load offset=4
      memory.copy
      global.get $end
      local.get $string
      i32.load offset=4
      i32.add
      global.set $end
      global.get $end
      i32.const 124
      i32.store8
      global.get $end
      i32.const 1
      i32.add
      global.set $end
    )
    (func $put_option (;6;) (type 2) (param $option i32)
      local.get $option
      i32.load8_u
      if ;; label = @1
        local.get $option
        i32.const 4
        i32.add
        call $put
      end
    )
    (func $pair (;7;) (type 3) (param $at i32) (param $first i32) (param $second i32)
      local.get $at
      local.get $first
      i32.store
      local.get $at
      local.get $second
      i32.store offset=4
    )
    (func (;8;) (type 4) (param $event i32) (result i32)
      (local $target i32)
      i32.const 100
      i32.const 5
      call $debug
      i32.const 105
      i32.const 4
      call $info
      i32.const 109
      i32.const 4
      call $warn
      i32.const 113
      i32.const 5
      call $error
      local.get $event
      call $put
      local.get $event
      i32.const 8
      i32.add
      call $put
      local.get $event
      i32.const 16
      i32.add
      call $put
      local.get $event
      i32.const 24
      i32.add
      call $put_option
      local.get $event
      i32.const 36
      i32.add
      call $put_option
      local.get $event
      i32.const 48
      i32.add
      call $put
      local.get $event
      i32.const 56
      i32.add
      call $put
      local.get $event
      i32.const 64
      i32.add
      call $put
      local.get $event
      i32.load offset=72
      local.set $target
      block $none
        local.get $event
        i32.load offset=76
        i32.eqz
        br_if $none
        loop $more
          local.get $target
          call $put
          local.get $target
          i32.const 8
          i32.add
          local.set $target
          local.get $target
          local.get $event
          i32.load offset=72
          local.get $event
          i32.load offset=76
          i32.const 8
          i32.mul
          i32.add
          i32.lt_u
          br_if $more
        end
      end
      local.get $event
      i32.const 80
      i32.add
      call $put
      i32.const 516
      i32.const 1024
      i32.const 2
      call $pair
      i32.const 1024
      i32.const 1
      i32.store8
      i32.const 1028
      i32.const 4096
      global.get $end
      i32.const 4096
      i32.sub
      call $pair
      i32.const 1100
      i32.const 2
      i32.store8
      i32.const 1104
      i32.const 100
      i32.const 5
      call $pair
      i32.const 1112
      i32.const 1
      i32.store8
      i32.const 1116
      i32.const 128
      i32.const 6
      call $pair
      i32.const 1124
      i32.const 1
      i32.store8
      i32.const 1125
      i32.const 1
      i32.store8
      i32.const 1128
      i32.const 1
      i32.store8
      i32.const 1132
      i32.const 134
      i32.const 6
      call $pair
      i32.const 1140
      i32.const 1
      i32.store8
      i32.const 1144
      i32.const 2048
      i32.const 1
      call $pair
      i32.const 2048
      i32.const 141
      i32.const 3
      call $pair
      i32.const 2056
      i32.const 144
      i32.const 5
      call $pair
      i32.const 1152
      i32.const 1
      i32.store8
      i32.const 1156
      i32.const 2064
      i32.const 1
      call $pair
      i32.const 2064
      i32.const 149
      i32.const 8
      call $pair
      i32.const 2072
      i32.const 157
      i32.const 5
      call $pair
      i32.const 1164
      i32.const 1
      i32.store8
      i32.const 1168
      i32.const 162
      i32.const 13
      call $pair
      i32.const 512
    )
    (data (;0;) (i32.const 100) "debuginfowarnerror")
    (data (;1;) (i32.const 128) "review/below?keyvaluex-frozen1.0.0text/x-frozen")
    (@producers
      (processed-by "wit-component" "0.254.2")
    )
  )
  (core module $wit-component-shim-module (;1;)
    (type (;0;) (func (param i32 i32)))
    (table (;0;) 4 4 funcref)
    (export "0" (func 0))
    (export "1" (func 1))
    (export "2" (func 2))
    (export "3" (func 3))
    (export "$imports" (table 0))
    (func (;0;) (type 0) (param i32 i32)
      local.get 0
      local.get 1
      i32.const 0
      call_indirect (type 0)
    )
    (func (;1;) (type 0) (param i32 i32)
      local.get 0
      local.get 1
      i32.const 1
      call_indirect (type 0)
    )
    (func (;2;) (type 0) (param i32 i32)
      local.get 0
      local.get 1
      i32.const 2
      call_indirect (type 0)
    )
    (func (;3;) (type 0) (param i32 i32)
      local.get 0
      local.get 1
      i32.const 3
      call_indirect (type 0)
    )
    (@producers
      (processed-by "wit-component" "0.254.2")
    )
  )
  (core module $wit-component-fixup (;2;)
    (type (;0;) (func (param i32 i32)))
    (import "" "0" (func (;0;) (type 0)))
    (import "" "1" (func (;1;) (type 0)))
    (import "" "2" (func (;2;) (type 0)))
    (import "" "3" (func (;3;) (type 0)))
    (import "" "$imports" (table (;0;) 4 4 funcref))
    (elem (;0;) (i32.const 0) func 0 1 2 3)
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
  (alias core export $wit-component-shim-instance "0" (core func $indirect-hookmill:plugin/log@1.0.0-debug (;0;)))
  (alias core export $wit-component-shim-instance "1" (core func $indirect-hookmill:plugin/log@1.0.0-info (;1;)))
  (alias core export $wit-component-shim-instance "2" (core func $indirect-hookmill:plugin/log@1.0.0-warn (;2;)))
  (alias core export $wit-component-shim-instance "3" (core func $indirect-hookmill:plugin/log@1.0.0-error (;3;)))
  (core instance $hookmill:plugin/log@1.0.0 (;1;)
    (export "debug" (func $indirect-hookmill:plugin/log@1.0.0-debug))
    (export "info" (func $indirect-hookmill:plugin/log@1.0.0-info))
    (export "warn" (func $indirect-hookmill:plugin/log@1.0.0-warn))
    (export "error" (func $indirect-hookmill:plugin/log@1.0.0-error))
  )
  (core instance $main (;2;) (instantiate $main
      (with "hookmill:plugin/log@1.0.0" (instance $hookmill:plugin/log@1.0.0))
    )
  )
  (alias core export $main "memory" (core memory $memory (;0;)))
  (alias core export $wit-component-shim-instance "$imports" (core table $"shim table" (;0;)))
  (alias export $hookmill:plugin/log@1.0.0 "debug" (func $debug (;0;)))
  (alias core export $main "cabi_realloc" (core func $realloc (;4;)))
  (core func $"#core-func5 indirect-hookmill:plugin/log@1.0.0-debug" (@name "indirect-hookmill:plugin/log@1.0.0-debug") (;5;) (canon lower (func $debug) (memory $memory) string-encoding=utf8))
  (alias export $hookmill:plugin/log@1.0.0 "info" (func $info (;1;)))
  (core func $"#core-func6 indirect-hookmill:plugin/log@1.0.0-info" (@name "indirect-hookmill:plugin/log@1.0.0-info") (;6;) (canon lower (func $info) (memory $memory) string-encoding=utf8))
  (alias export $hookmill:plugin/log@1.0.0 "warn" (func $warn (;2;)))
  (core func $"#core-func7 indirect-hookmill:plugin/log@1.0.0-warn" (@name "indirect-hookmill:plugin/log@1.0.0-warn") (;7;) (canon lower (func $warn) (memory $memory) string-encoding=utf8))
  (alias export $hookmill:plugin/log@1.0.0 "error" (func $error (;3;)))
  (core func $"#core-func8 indirect-hookmill:plugin/log@1.0.0-error" (@name "indirect-hookmill:plugin/log@1.0.0-error") (;8;) (canon lower (func $error) (memory $memory) string-encoding=utf8))
  (core instance $fixup-args (;3;)
    (export "$imports" (table $"shim table"))
    (export "0" (func $"#core-func5 indirect-hookmill:plugin/log@1.0.0-debug"))
    (export "1" (func $"#core-func6 indirect-hookmill:plugin/log@1.0.0-info"))
    (export "2" (func $"#core-func7 indirect-hookmill:plugin/log@1.0.0-warn"))
    (export "3" (func $"#core-func8 indirect-hookmill:plugin/log@1.0.0-error"))
  )
  (core instance $fixup (;4;) (instantiate $wit-component-fixup
      (with "" (instance $fixup-args))
    )
  )
  (type (;8;) (func (param "event" $event) (param "integration" $integration) (result $outcome)))
  (alias core export $main "hookmill:plugin/transformer@1.0.0#transform" (core func $hookmill:plugin/transformer@1.0.0#transform (;9;)))
  (func $transform (;4;) (type 8) (canon lift (core func $hookmill:plugin/transformer@1.0.0#transform) (memory $memory) (realloc $realloc) string-encoding=utf8))
  (component $hookmill:plugin/transformer@1.0.0-shim-component (;0;)
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
  (instance $hookmill:plugin/transformer@1.0.0-shim-instance (;2;) (instantiate $hookmill:plugin/transformer@1.0.0-shim-component
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
  (export $hookmill:plugin/transformer@1.0.0 (;3;) "hookmill:plugin/transformer@1.0.0" (instance $hookmill:plugin/transformer@1.0.0-shim-instance))
  (@producers
    (processed-by "wit-component" "0.254.2")
  )
)
