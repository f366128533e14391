;; Logs a message that reaches past its memory.
(component
  (import "hookmill:plugin/log@1.0.0" (instance $log (export "info" (func (param "message" string)))))
  (core module $memory
    (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32) (param $align i32) (param $size i32) (result i32)
      (local $start i32)
      (local.set $start (i32.and
        (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
        (i32.sub (i32.const 0) (local.get $align))))
      (global.set $next (i32.add (local.get $start) (local.get $size)))
      (local.get $start)))
  (core instance $memory (instantiate $memory))
  (core func $info (canon lower (func $log "info") (memory (core memory $memory "memory"))))
  (core module $guest
    (import "log" "info" (func $info (param i32 i32)))
    (import "memory" "memory" (memory 1))
    (func (export "transform") (param $event i32) (result i32)
      (call $info (i32.const 4096) (i32.const -1))
      (i32.store8 (i32.const 16) (i32.const 1))
      (i32.const 16)))
  (core instance $core (instantiate $guest
    (with "log" (instance (export "info" (func $info))))
    (with "memory" (instance $memory))))

  (type $event (record
    (field "id" string) (field "kind" string) (field "organization" string)
    (field "inbox" (option string)) (field "project" (option string))
    (field "accepted-at" string) (field "data" string)))
  (type $integration (record (field "id" string) (field "targets" (list string)) (field "config" string)))
  (type $method (enum "post" "put" "patch" "delete"))
  (type $body (variant (case "json" string) (case "text" string) (case "bytes" (list u8))))
  (type $request (record
    (field "body" $body) (field "target" (option string)) (field "method" (option $method))
    (field "path" (option string)) (field "query" (option (list (tuple string string))))
    (field "headers" (option (list (tuple string string)))) (field "content-type" (option string))))
  (type $outcome (variant (case "deliver" (list $request)) (case "skip" string) (case "reject" string)))
  (func $transform (param "event" $event) (param "integration" $integration) (result $outcome)
    (canon lift (core func $core "transform")
      (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
  (instance $transformer
    (export "event" (type $event)) (export "integration" (type $integration)) (export "method" (type $method))
    (export "body" (type $body)) (export "request" (type $request)) (export "outcome" (type $outcome))
    (export "transform" (func $transform)))
  (export "hookmill:plugin/transformer@1.0.0" (instance $transformer)))
