// Sends a document's id and its total, and nothing else.

#include "hookmill.h"

Outcome transform(const Event *event, const Integration *integration) {
  if (!text_is(event->kind, "document_predict")) {
    return skip(text("%.*s has no total", TEXT(event->kind)));
  }
  // What is found is JSON as it was posted: a text with its quotes, a number with all of its digits.
  Text id, total;
  if (!json_find(event->data, "/prediction/annotations/gross_amount/0/value", &total)) {
    return reject(text("the document has no gross amount"));
  }
  json_find(event->data, "/id", &id);
  printf("total %.*s\n", TEXT(total));
  return deliver(request(json_body(text("{\"document\": %.*s, \"total\": %.*s}", TEXT(id), TEXT(total)))));
}
