;; A plugin around a core module, which stands in the place of the mark below. It exports `memory`, `realloc` and
;; `transform`, and imports nothing.
(component
  ;; the core module
  (core instance $core (instantiate $guest))

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
      (memory (core memory $core "memory")) (realloc (core func $core "realloc")) (; post-return ;)))
  (instance $transformer
    (export "event" (type $event)) (export "integration" (type $integration)) (export "method" (type $method))
    (export "body" (type $body)) (export "request" (type $request)) (export "outcome" (type $outcome))
    (export "transform" (func $transform)))
  (export "hookmill:plugin/transformer@1.0.0" (instance $transformer))
  (; configuration ;))
