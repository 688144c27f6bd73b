import { serveProbe } from './probe.ts'

/** A process that does nothing: what delays its event loop is the machine. */
serveProbe(0)
