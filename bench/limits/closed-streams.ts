import { openStreams } from '../streams.ts'
import { type Measured, mebibyte, pause, type Setting } from './measured.ts'

const streams = Number(process.env.LIMITS_STREAMS ?? 9000)
const cycles = Number(process.env.LIMITS_CYCLES ?? 3)
const mostRatio = 1.5
const mostSlope = mebibyte
/** Of the target. */
const restMs = 60_000

/** R7 and R8: thousands of idle event streams, and what they leave when they are closed. */
export async function measureClosedStreams({ proxy, tokens }: Setting): Promise<Measured> {
  const warm = await openStreams(proxy.port, 100, tokens)
  await warm()
  await pause(15_000)
  const before = await proxy.ask<number>('residentNow')
  const rests: number[] = []
  let open = 0
  for (let cycle = 0; cycle < cycles; cycle++) {
    const close = await openStreams(proxy.port, streams, tokens)
    open = Math.max(open, await proxy.ask<number>('residentNow'))
    await close()
    await pause(restMs)
    rests.push(await proxy.ask<number>('residentNow'))
  }
  const ratio = Math.max(...rests) / before
  const slope = ((rests.at(-1) ?? 0) - (rests[0] ?? 0)) / Math.max(1, cycles - 1)
  return {
    id: 'R8',
    target: `${streams} idle streams are closed: a minute later resident memory is at most ${mostRatio} times the base, and grows by less than ${mostSlope / mebibyte} MiB a cycle`,
    measured: {
      baseMiB: Math.round(before / mebibyte),
      openMiB: Math.round(open / mebibyte),
      restsMiB: rests.map((rest) => Math.round(rest / mebibyte)).join(' '),
      ratio: Number(ratio.toFixed(2)),
      slopeMiB: Number((slope / mebibyte).toFixed(1)),
    },
    pass: ratio <= mostRatio && slope < mostSlope,
  }
}
