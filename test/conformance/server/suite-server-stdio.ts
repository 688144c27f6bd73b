import type { McpServer } from '@modelcontextprotocol/server'
import { serveStdio } from '@modelcontextprotocol/server/stdio'
import { createLegacy, createModern } from './suite-server.ts'

/** The same server over its standard streams. `--legacy` leaves it only the revisions before 2026-07-28. */
serveStdio(({ era }) => {
  if (era === 'legacy') return createLegacy()
  const server: McpServer = createModern({
    toolsChanged: () => server.sendToolListChanged(),
    promptsChanged: () => server.sendPromptListChanged(),
  } as Parameters<typeof createModern>[0])
  return server
})
