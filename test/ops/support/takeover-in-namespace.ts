// Run in a network namespace of its own: takeovers of a shared port, as JSON on standard output.
import { findFreePort } from '../../support/free-port.ts'
import { startReplica } from './replica.ts'
import { setStage } from './stage.ts'
import { takeOver } from './takeover-story.ts'

const port = await findFreePort()
const stage = await setStage(`http://localhost:${port}`)
const config = stage.configure(port, { listen: { port, reuse_port: true }, shutdown: { delay_seconds: 1 } })
const { times: _, ...report } = await takeOver(`http://127.0.0.1:${port}/mcp`, stage.headers, () => startReplica(config))
await stage.close()
console.log(JSON.stringify(report))
