// The contract in short names, and what an answer is made of. All memory is the call's own: nothing has to be freed.

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin.h"

typedef plugin_string_t Text;
typedef exports_hookmill_plugin_transformer_event_t Event;
typedef exports_hookmill_plugin_transformer_integration_t Integration;
typedef exports_hookmill_plugin_transformer_body_t Body;
typedef exports_hookmill_plugin_transformer_request_t Request;
typedef exports_hookmill_plugin_transformer_outcome_t Outcome;

// The plugin: this is for you to write.
Outcome transform(const Event *event, const Integration *integration);

// A text for the format `%.*s`.
#define TEXT(text) (int)(text).len, (const char *)(text).ptr

// Text by a format.
__attribute__((format(printf, 1, 2))) Text text(const char *format, ...);
bool text_is(Text text, const char *same);

// Finds a value by a JSON pointer, as the text that it was posted as. Names are compared as they are written: with their escapes. Of a
// member that stands there more than once, the last is found.
bool json_find(Text json, const char *pointer, Text *found);

// Sends this request; for several, see `deliver_all`.
Outcome deliver(Request request);
Outcome deliver_all(size_t count, const Request *requests);
// Nothing is to be sent, and that is right: why.
Outcome skip(Text reason);
// This event can not be handled: why. Its run is parked, and can be resumed.
Outcome reject(Text reason);

// A request to the default target. What else it may have is in its fields, each with `is_some` and `val`.
Request request(Body body);
// A body of JSON, sent as it is.
Body json_body(Text json);
Body text_body(Text text);
Body bytes_body(const uint8_t *bytes, size_t len);
