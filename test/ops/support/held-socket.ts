import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

/** A socket that listens, and on which this process accepts nothing: what systemd holds for a service. */
export interface HeldSocket {
  readonly descriptor: number
  close(): Promise<unknown>
}

/** The event loop that would accept connections stands still. */
const HOLDER = `
const { parentPort, workerData } = require('node:worker_threads')
const server = require('node:net').createServer()
server.listen(workerData, '127.0.0.1', () => {
  parentPort.postMessage(server._handle.fd)
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
})
`

export async function holdSocket(port: number): Promise<HeldSocket> {
  const worker = new Worker(HOLDER, { eval: true, workerData: port })
  const [descriptor] = (await once(worker, 'message')) as [number]
  return { descriptor, close: () => worker.terminate() }
}

/** Starts a command as systemd does: the process id is known only to the process itself. */
export const asActivated: readonly string[] = ['/bin/sh', '-c', 'LISTEN_PID=$$ exec "$@"', 'sh']
