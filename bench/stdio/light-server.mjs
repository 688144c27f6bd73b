// An MCP server that does next to nothing: what is measured is whoever stands before it. Over its standard streams, or with a port as
// its argument over HTTP.
import { createServer } from 'node:http'

const text = '{"content":[{"type":"text","text":"It is 21 degrees in Oslo."}]}'
const initialized = { capabilities: { tools: {} }, serverInfo: { name: 'light', version: '1' } }

function answer({ id, method, params }) {
  if (id === undefined) return undefined
  if (method === 'tools/call') return `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${text}}`
  if (method === 'tools/list')
    return JSON.stringify({ jsonrpc: '2.0', id, result: { tools: [{ name: 'weather', inputSchema: { type: 'object' } }] } })
  if (method === 'initialize')
    return JSON.stringify({ jsonrpc: '2.0', id, result: { protocolVersion: params.protocolVersion, ...initialized } })
  return JSON.stringify({ jsonrpc: '2.0', id, error: { code: -32601, message: 'Method not found' } })
}

const port = process.argv[2]
if (port === undefined) {
  let held = ''
  process.stdin.setEncoding('utf8')
  process.stdin.on('data', (chunk) => {
    const lines = (held + chunk).split('\n')
    held = lines.pop()
    const answers = lines.map((line) => answer(JSON.parse(line))).filter((line) => line !== undefined)
    if (answers.length > 0) process.stdout.write(`${answers.join('\n')}\n`)
  })
  process.stdin.on('end', () => process.exit(0))
} else {
  createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8')
    request.on('data', (chunk) => (body += chunk))
    request.on('end', () => {
      const line = body === '' ? undefined : answer(JSON.parse(body))
      if (line === undefined) return response.writeHead(202).end()
      const session = body.includes('"initialize"') ? { 'mcp-session-id': Math.random().toString(36) } : {}
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(line), ...session })
      response.end(line)
    })
  }).listen(Number(port), '127.0.0.1')
}
