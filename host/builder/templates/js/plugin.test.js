// Runs the component on the sample events, as a host would. `npm test` builds it first.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

/** What comes of each of these events: {deliver: bodies}, {skip: why} or {park: why}. */
function outcomes(...names) {
  const events = names.map((name) => readFileSync(`events/${name}.json`, 'utf8'));
  // All in one run, since each run compiles the component.
  const { error, stdout, stderr } = spawnSync('hookmill', ['plugin', 'run', '{{name}}.wasm', '--json', '--event', '-'], {
    input: `[${events}]`,
    encoding: 'utf8',
  });
  if (error) throw error;
  const lines = stdout.split('\n').slice(0, -1);
  assert.equal(lines.length, names.length, stdout + stderr);
  return lines.map((line) => {
    const { outcome, reason, requests } = JSON.parse(line);
    return { [outcome]: reason ?? requests.map(({ body }) => JSON.parse(body)) };
  });
}

const [predict, text] = outcomes('document_predict', 'document_text');

test('a prediction gives its total', () => {
  assert.deepEqual(predict, { deliver: [{ document: '5e7a0daf255bf93741177061', total: 152.11 }] });
});

test('other kinds are skipped', () => {
  assert.deepEqual(text, { skip: 'document_text has no total' });
});
