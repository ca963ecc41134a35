// Prints as JSON what mail clients do not show of the HTML files that are named: feature -> clients.
import fs from 'node:fs';
import { caniemail } from 'caniemail';

const clients = ['gmail.*', 'apple-mail.*', 'outlook.*'];
const found = {};
for (const file of process.argv.slice(2)) {
  // The linter fails at this older name of overflow-wrap, which it has no data about for some clients.
  const html = fs.readFileSync(file, 'utf8').replace(/word-wrap:[^;"]*;?/g, '');
  for (const [client, issues] of caniemail({ clients, html }).issues.errors) {
    for (const { title } of issues) (found[title] ??= new Set()).add(client);
  }
}
console.log(JSON.stringify(Object.fromEntries(Object.entries(found).map(([title, set]) => [title, [...set].sort()]))));
