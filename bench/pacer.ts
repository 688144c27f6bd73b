import { parentPort, workerData } from 'node:worker_threads'

/** Wakes its parent at even times, more often than the timers of Node can. Its data is the milliseconds between two ticks. */

const interval = workerData as number
const sleeping = new Int32Array(new SharedArrayBuffer(4))

let next = performance.now()
for (;;) {
  next += interval
  Atomics.wait(sleeping, 0, 0, Math.max(0, next - performance.now()))
  parentPort?.postMessage(undefined)
}
