// The WebSocket that Node has built in (undici's), spoken to as the reference page does.
import { writeFileSync } from 'node:fs';

const [url, count, file] = process.argv.slice(2);
const lines = [];
const ws = new WebSocket(url);

ws.onopen = () => console.log(`connected ${ws.extensions || 'none'}`);
ws.onmessage = (event) => {
  lines.push(JSON.stringify(JSON.parse(event.data)));
  if (lines.length === Number(count)) {
    writeFileSync(file, lines.join('\n'));
    ws.close();
  }
};
ws.onerror = (event) => { throw event.error ?? new Error('the connection failed'); };
