// FastMCP's own client, which keeps its tokens in memory and listens for the redirect itself.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { findProgram } from '../programs.ts'
import { openLibrary } from './one-call-a-line.ts'
import { describeWalk } from './walk.ts'

const python = findProgram('python')
const [, version = ''] =
  /^fastmcp==(.*)$/m.exec(readFileSync(join(import.meta.dirname, '../python/requirements.txt'), 'utf8')) ?? []

describeWalk({
  client: "FastMCP's client",
  version,
  isThere: python !== undefined,
  open: async (environment) => openLibrary(environment, [python ?? '', '-B', join(import.meta.dirname, 'fastmcp_client.py')]),
})
