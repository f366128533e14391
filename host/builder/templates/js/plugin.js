// Sends a document's id and its total, and nothing else.

import { deliver, json, reject, skip } from './hookmill.js';

export const transformer = {
  transform(event, integration) {
    if (event.kind !== 'document_predict') {
      return skip(`${event.kind} has no total`);
    }
    // JSON.parse rounds numbers of more than 15 digits; event.data is the text as it was posted.
    const data = JSON.parse(event.data);
    const total = data.prediction?.annotations?.gross_amount?.[0]?.value ?? null;
    if (total === null) {
      return reject('the document has no gross amount');
    }
    console.log('total', total);
    return deliver({ body: json({ document: data.id, total }) });
  },
};
