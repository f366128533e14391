// What an answer is made of, and a console where the engine has none: its lines stand in the run's log.

import { debug, error, info, warn } from 'hookmill:plugin/log@1.0.0';

/** Sends these requests: {body, target?, method?, path?, query?, headers?, contentType?}. */
export const deliver = (...requests) => ({ tag: 'deliver', val: requests });
/** Nothing is to be sent, and that is right: why. */
export const skip = (reason) => ({ tag: 'skip', val: reason });
/** This event can not be handled: why. Its run is parked, and can be resumed. */
export const reject = (reason) => ({ tag: 'reject', val: reason });

/** A body of JSON. */
export const json = (value) => ({ tag: 'json', val: JSON.stringify(value) });
/** A body of JSON that is text already, sent as it is. */
export const rawJson = (text) => ({ tag: 'json', val: text });
/** A body of text. */
export const text = (value) => ({ tag: 'text', val: value });
/** A body of bytes, from a Uint8Array. */
export const bytes = (value) => ({ tag: 'bytes', val: value });

const line = (values) => values.map((value) => (typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value)))).join(' ');

globalThis.console ??= {
  debug: (...values) => debug(line(values)),
  log: (...values) => info(line(values)),
  info: (...values) => info(line(values)),
  warn: (...values) => warn(line(values)),
  error: (...values) => error(line(values)),
};
