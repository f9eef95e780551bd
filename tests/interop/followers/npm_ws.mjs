// npm's `ws`, offering compression as it does unless told otherwise, with pings of its own.
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const WebSocket = createRequire(`${process.env.NODE_PATH}/`)('ws');
const [url, count, file, pingSeconds] = process.argv.slice(2);
const lines = [];
const ws = new WebSocket(url);
let alive = true;
const pings = setInterval(() => {
  if (!alive) throw new Error('no pong came');
  alive = false;
  ws.ping();
}, 1000 * pingSeconds);

ws.on('pong', () => { alive = true; });
ws.on('open', () => console.log(`connected ${ws.extensions || 'none'}`));
ws.on('message', (data, isBinary) => {
  if (isBinary) throw new Error('an event is a text message');
  lines.push(JSON.stringify(JSON.parse(data)));
  if (lines.length === Number(count)) {
    writeFileSync(file, lines.join('\n'));
    clearInterval(pings);
    ws.close();
  }
});
