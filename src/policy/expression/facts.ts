import type { Operation } from '../../core/operation.ts'
import type { Principal } from '../../core/principal.ts'
import type { ArgumentValue } from './arguments.ts'

/** What an expression may look at. */
export interface ExpressionFacts {
  readonly principal: Principal
  /** Undefined for `who`. The target of a resource operation is the normalised URI. */
  readonly operation: Operation | undefined
  /** Reads the arguments, when they are looked at; `createArgumentReader`. Undefined: not known, as for the items of a list. */
  readonly args: (() => ArgumentValue) | undefined
  /** Name of the server. */
  readonly server: string
  readonly request: {
    /** The MCP revision. */
    readonly revision: string
    readonly path: string
    /** Of the client, from trusted headers where a proxy stands in front. */
    readonly address: string
  }
  /** Milliseconds since 1970. */
  readonly now: number
}
