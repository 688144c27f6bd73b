// mcp-remote, which clients start that know programs only: here the TypeScript SDK.
import { mcpRemote, openMcpRemote } from './mcp-remote.ts'
import packages from './packages.json' with { type: 'json' }
import { describeWalk } from './walk.ts'

describeWalk({ client: 'mcp-remote', version: packages['mcp-remote'], isThere: mcpRemote !== undefined, open: openMcpRemote })
