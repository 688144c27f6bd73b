// Preloaded (`node --import`) into a process: what comes on the Unix socket CONTROL_SOCKET sets its clock, or asks what it holds.
import { rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { isMainThread } from 'node:worker_threads'

let shiftMs = 0
const now = Date.now
Date.now = () => now() + shiftMs
globalThis.Date = new Proxy(Date, {
  construct: (target, parameters) => Reflect.construct(target, parameters.length === 0 ? [target.now()] : parameters),
})

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc')

/**
 * Timers that wait, also those that keep no process alive, which Node counts nowhere. Those of kept connections to MCP servers are left out: there is one for
 * each, and the connections are counted as descriptors.
 */
const timers = new Set()
const isOfConnection = () => new Error().stack?.includes('client-h1.js')
const SWEEP_AT = 20_000
for (const name of ['setTimeout', 'setInterval']) {
  const set = globalThis[name]
  const watched = (...parameters) => {
    const timer = set(...parameters)
    if (!isOfConnection()) timers.add(timer)
    if (timers.size > SWEEP_AT) sweep()
    return timer
  }
  globalThis[name] = Object.defineProperties(watched, Object.getOwnPropertyDescriptors(set))
}
function sweep() {
  for (const timer of timers) if (timer._destroyed) timers.delete(timer)
}

function measure() {
  collectGarbage()
  sweep()
  const { heapUsed, heapTotal, external, arrayBuffers, rss } = process.memoryUsage()
  if (process.env.CONTROL_MEMORY) console.error(JSON.stringify({ heapUsed, heapTotal, external, arrayBuffers, rss }))
  return { heapBytes: heapUsed, rssBytes: rss, timers: timers.size }
}

if (isMainThread && process.env.CONTROL_SOCKET) {
  rmSync(process.env.CONTROL_SOCKET, { force: true })
  const server = createServer((socket) => {
    socket.unref()
    socket.on('error', () => undefined)
    socket.once('data', (chunk) => {
      const asked = JSON.parse(String(chunk))
      if (asked.shiftMs !== undefined) shiftMs = asked.shiftMs
      socket.end(JSON.stringify(measure()))
    })
  })
  server.listen(process.env.CONTROL_SOCKET).unref()
}
