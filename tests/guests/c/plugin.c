// Does what its configuration asks: {"do": "chance"}.

#include "hookmill.h"

#include <assert.h>
#include <dirent.h>
#include <math.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static uint64_t bits(double number) {
  uint64_t bits;
  memcpy(&bits, &number, sizeof bits);
  return bits;
}

static long long milliseconds(clockid_t clock) {
  struct timespec time = {0};
  clock_gettime(clock, &time);
  return time.tv_sec * 1000LL + time.tv_nsec / 1000000;
}

// All that may differ from process to process, from host to host.
static Text chance(void) {
  volatile double zero = 0, infinity = INFINITY;
  uint8_t secure[8] = {0};
  int is_secure = getentropy(secure, sizeof secure);
  uint64_t secure_bits;
  memcpy(&secure_bits, secure, sizeof secure_bits);
  time_t now = time(NULL);
  char local_time[64];
  strftime(local_time, sizeof local_time, "%c", localtime(&now));
  void *heap = malloc(100);
  return text("{\"clock\": %lld, \"monotonic\": %lld, \"local_time\": \"%s\", \"random\": [%d, %ld], \"secure\": [%d, \"%016llx\"], "
              "\"nan\": [\"%016llx\", \"%016llx\", \"%016llx\", \"%016llx\"], \"floats\": [\"%.17g\", \"%a\", \"%a\", \"%a\"], "
              "\"addresses\": [\"%p\", \"%p\"]}",
              milliseconds(CLOCK_REALTIME), milliseconds(CLOCK_MONOTONIC), local_time, rand(), random(), is_secure, secure_bits,
              bits(zero / zero), bits(-(zero / zero)), bits(infinity - infinity), bits(sqrt(zero - 1)),
              zero + 0.1 + 0.2, sin(zero + 1e22), exp(zero + 0.5), tgamma(zero + 0.3), heap, (void *)&now);
}

static const char *opened(const void *handle) { return handle ? "open" : "refused"; }

// What it finds around itself.
static Text surroundings(void) {
  char folder[64];
  const char *variable = getenv("PATH");
  return text("{\"variable\": \"%s\", \"environment\": %d, \"input\": %d, \"files\": \"%s\", \"writes\": \"%s\", \"folder\": \"%s\", "
              "\"current\": \"%s\"}",
              variable ? variable : "none", environ && *environ ? 1 : 0, getchar(), opened(fopen("/etc/passwd", "r")), opened(fopen("/tmp/a", "w")),
              opened(opendir("/")), getcwd(folder, sizeof folder));
}

// What is found by these pointers.
static Text finds(Text config, Text data) {
  Text found = text("");
  for (int i = 0;; i++) {
    Text pointer, value, at = text("/pointers/%d", i);
    if (!json_find(config, (const char *)at.ptr, &pointer)) return text("[%.*s]", TEXT(found));
    // Without its quotes; a pointer of a test holds no escape.
    Text unquoted = text("%.*s", (int)pointer.len - 2, (const char *)pointer.ptr + 1);
    bool is_there = json_find(data, (const char *)unquoted.ptr, &value);
    if (!is_there) value = text("\"nothing\"");
    found = text("%.*s%s%.*s", TEXT(found), i ? ", " : "", TEXT(value));
  }
}

Outcome transform(const Event *event, const Integration *integration) {
  Text deed;
  if (!json_find(integration->config, "/do", &deed)) return reject(text("there is nothing to do"));
  if (text_is(deed, "\"chance\"")) return deliver(request(json_body(chance())));
  if (text_is(deed, "\"surroundings\"")) return deliver(request(json_body(surroundings())));
  if (text_is(deed, "\"find\"")) return deliver(request(json_body(finds(integration->config, event->data))));
  if (text_is(deed, "\"print\"")) {
    printf("said on stdout\n");
    fprintf(stderr, "said on stderr\n");
    return deliver(request(json_body(text("{}"))));
  }
  if (text_is(deed, "\"throw\"")) {
    Text message;
    json_find(integration->config, "/message", &message);
    fprintf(stderr, "%.*s\n", TEXT(message));
    assert(message.len == 0);
  }
  return skip(text("nothing is known of %.*s", TEXT(deed)));
}
