import { startAuthorizationServer } from '../src/sandbox/authorization-server.ts'
import { BROKER_CLIENT } from '../test/support/broker-stage.ts'
import { serveProbe } from './probe.ts'

/** The identity provider behind a broker, in a process of its own. */

const { port } = await startAuthorizationServer({ clients: [BROKER_CLIENT] })
serveProbe(port)
