// Asks the page that works without a server: `{ data, questions: [[name, …arguments]] }` comes on standard input, an
// answer a question leaves on standard output: `{ answer }`, or `{ error }` in its words.
import { readFileSync } from "node:fs";

const { data, questions } = JSON.parse(readFileSync(0, "utf8"));
globalThis.document = { getElementById: () => ({ textContent: data }) };
const { offline } = await import("../../assay/explorer/static/offline.js");

const plain = (_, value) => (ArrayBuffer.isView(value) ? Array.from(value) : value);
const answers = [];
for (const [name, ...given] of questions) {
  try {
    const answer = await offline[name](...given);
    answers.push({ answer: answer instanceof Blob ? await answer.text() : answer });
  } catch (error) {
    answers.push({ error: error.message });
  }
}
process.stdout.write(JSON.stringify(answers, plain));
