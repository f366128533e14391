// How the helpers do it.

#include "hookmill.h"

#include <stdarg.h>

// What the host calls.
void exports_hookmill_plugin_transformer_transform(Event *event, Integration *integration, Outcome *outcome) {
  *outcome = transform(event, integration);
  // What was printed and not flushed would be lost with the instance.
  fflush(NULL);
}

// The host gives the memory of an answer back, so none of it may be a constant's.
static void *copy(const void *bytes, size_t len) {
  void *memory = malloc(len == 0 ? 1 : len);
  if (memory == NULL) {
    abort();
  }
  return len == 0 ? memory : memcpy(memory, bytes, len);
}

Text text(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  char *written = NULL;
  int len = vasprintf(&written, format, arguments);
  va_end(arguments);
  if (len < 0) {
    abort();
  }
  return (Text){(uint8_t *)written, (size_t)len};
}

bool text_is(Text text, const char *same) {
  return text.len == strlen(same) && memcmp(text.ptr, same, text.len) == 0;
}

Outcome deliver(Request request) { return deliver_all(1, &request); }

Outcome deliver_all(size_t count, const Request *requests) {
  Outcome outcome = {.tag = HOOKMILL_PLUGIN_TYPES_OUTCOME_DELIVER};
  outcome.val.deliver.ptr = copy(requests, count * sizeof(Request));
  outcome.val.deliver.len = count;
  return outcome;
}

Outcome skip(Text reason) {
  return (Outcome){.tag = HOOKMILL_PLUGIN_TYPES_OUTCOME_SKIP, .val.skip = {copy(reason.ptr, reason.len), reason.len}};
}

Outcome reject(Text reason) {
  return (Outcome){.tag = HOOKMILL_PLUGIN_TYPES_OUTCOME_REJECT, .val.reject = {copy(reason.ptr, reason.len), reason.len}};
}

Request request(Body body) { return (Request){.body = body}; }

Body json_body(Text json) {
  return (Body){.tag = HOOKMILL_PLUGIN_TYPES_BODY_JSON, .val.json = {copy(json.ptr, json.len), json.len}};
}

Body text_body(Text text) {
  return (Body){.tag = HOOKMILL_PLUGIN_TYPES_BODY_TEXT, .val.text = {copy(text.ptr, text.len), text.len}};
}

Body bytes_body(const uint8_t *bytes, size_t len) {
  return (Body){.tag = HOOKMILL_PLUGIN_TYPES_BODY_BYTES, .val.bytes = {copy(bytes, len), len}};
}

// The JSON that plugins are given is valid. Each of these is given where something begins, and tells where it ends.

static const uint8_t *after_space(const uint8_t *at, const uint8_t *end) {
  while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) at++;
  return at;
}

static const uint8_t *after_string(const uint8_t *at, const uint8_t *end) {
  for (at++; at < end && *at != '"'; at++) {
    if (*at == '\\') at++;
  }
  return at < end ? at + 1 : end;
}

static const uint8_t *after_value(const uint8_t *at, const uint8_t *end) {
  size_t depth = 0;
  while (at < end) {
    if (*at == '"') {
      at = after_string(at, end);
    } else if (*at == '{' || *at == '[') {
      depth++;
      at++;
    } else if (*at == '}' || *at == ']') {
      if (depth == 0) return at; // of what it stands in
      depth--;
      at++;
    } else if (depth == 0 && (*at == ',' || after_space(at, end) != at)) {
      return at;
    } else {
      at++;
      continue;
    }
    if (depth == 0) return at;
  }
  return end;
}

// Whether a name, without its quotes, is the next one of a pointer.
static bool is_next(const uint8_t *name, size_t len, const char *pointer) {
  for (size_t i = 0; i < len; i++, pointer++) {
    char next = *pointer;
    if (next == '\0' || next == '/') return false;
    if (next == '~') next = *++pointer == '1' ? '/' : '~';
    if (name[i] != (uint8_t)next) return false;
  }
  return *pointer == '\0' || *pointer == '/';
}

bool json_find(Text json, const char *pointer, Text *found) {
  const uint8_t *end = json.ptr + json.len;
  const uint8_t *value = after_space(json.ptr, end);
  while (*pointer == '/') {
    pointer++;
    if (value == end || (*value != '{' && *value != '[')) return false;
    bool is_list = *value == '[';
    const uint8_t *next = NULL;
    const uint8_t *at = after_space(value + 1, end);
    for (size_t index = 0; at < end && *at != '}' && *at != ']'; index++) {
      bool is_it;
      if (is_list) {
        char number[24];
        int digits = snprintf(number, sizeof number, "%zu", index);
        is_it = is_next((const uint8_t *)number, (size_t)digits, pointer);
      } else {
        const uint8_t *name = at + 1;
        at = after_string(at, end);
        is_it = is_next(name, (size_t)(at - name) - 1, pointer);
        at = after_space(after_space(at, end) + 1, end); // the colon
      }
      if (is_it) next = at;
      at = after_space(after_value(at, end), end);
      if (at < end && *at == ',') at = after_space(at + 1, end);
    }
    if (next == NULL) return false;
    value = next;
    pointer += strcspn(pointer, "/");
  }
  *found = (Text){(uint8_t *)value, (size_t)(after_value(value, end) - value)};
  return true;
}
