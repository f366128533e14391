// Does what its configuration asks: {"do": "chance"}. The same source is built for both engines.

import { deliver, json, skip } from './hookmill.js';

const bits = (number) => Array.from(new Uint8Array(new Float64Array([number]).buffer));

const deeds = {
  // All that may differ from process to process, from host to host, from build to build of an engine.
  chance() {
    const zero = JSON.parse('0');
    const object = { zebra: 1, 10: 2, apple: 3, 2: 4 };
    return {
      clock: Date.now(),
      time: new Date().toISOString(),
      local_time: new Date().toString(),
      since_start: globalThis.performance?.now() ?? null,
      random: [Math.random(), Math.random()],
      secure: globalThis.crypto ? [Array.from(crypto.getRandomValues(new Uint8Array(8))), crypto.randomUUID()] : null,
      nan: [zero / zero, -(zero / zero), Infinity - Infinity, Math.sqrt(-1), Number.parseFloat('x')].map(bits),
      floats: [0.1 + 0.2, Math.sin(1e22), Math.exp(0.5), 2 ** 0.5, Math.atan2(1, 3), 1e21, 5e-324, -zero / 5].map((n) => [String(n), bits(n)]),
      order: [Object.keys(object), [...new Set(['b', 'a', 'c'])], [...new Map(Object.entries(object)).keys()]],
      sorted: [10, 9, 1, 'b', 'B', 'ä', 'z'].sort(),
      globals: Object.getOwnPropertyNames(globalThis).length,
      stack: new Error('here').stack,
    };
  },
  // What it finds around itself.
  surroundings() {
    const attempts = { environment: () => process.env, arguments: () => scriptArgs, modules: () => require('fs'), files: () => std.open('/etc/passwd', 'r') };
    const found = {};
    for (const [name, attempt] of Object.entries(attempts)) {
      try {
        found[name] = String(attempt());
      } catch (error) {
        found[name] = error.name;
      }
    }
    return found;
  },
  // What comes of nothing but the event: without WASI, too.
  given({ event }) {
    return { kind: event.kind, data: JSON.parse(event.data), sorted: [10, 9, 1].sort(), third: 1 / 3 };
  },
  print() {
    console.log('said on stdout');
    console.error('said on stderr');
    return {};
  },
  throw({ message }) {
    throw new Error(message);
  },
};

export const transformer = {
  transform(event, integration) {
    const config = JSON.parse(integration.config);
    const deed = deeds[config.do];
    return deed ? deliver({ body: json(deed({ ...config, event })) }) : skip(`nothing is known of ${config.do}`);
  },
};
