import type * as App from '../src/app.ts'
import { createBenchPlan, type ProxyArgument } from './plan.ts'
import { serveProbe } from './probe.ts'

/**
 * The proxy as users run it: the built one, with its request log on standard output. The first argument is a {@link ProxyArgument}.
 */

const built = new URL('../dist/app.js', import.meta.url).href
const { startProxy } = (await import(built)) as typeof App
const proxy = await startProxy(createBenchPlan(JSON.parse(process.argv[2] ?? '') as ProxyArgument), { ownsProcess: true })
serveProbe(Number(new URL(proxy.url).port))
