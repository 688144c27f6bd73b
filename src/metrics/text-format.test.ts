import { describe, expect, it } from 'vitest'
import { readMetrics } from '../../test/support/metrics-text.ts'
import { createCounter } from './counter.ts'
import { createHistogram } from './histogram.ts'
import { formatMetrics } from './text-format.ts'

describe('the text of metrics', () => {
  it('lets other work have its turn after each 32 KiB, however many servers there are', async () => {
    const seconds = createHistogram('mcp_auth_proxy_request_seconds', 'Help.', ['server', 'operation'])
    for (let server = 0; server < 500; server++) seconds.observe(1, [`server-${server}`, 'tools/call'])
    let turns = 0
    let isOver = false
    const count = (): void => {
      turns += 1
      if (!isOver) setImmediate(count)
    }
    setImmediate(count)
    const { text } = await formatMetrics([seconds], false)
    isOver = true
    expect(text.length).toBeGreaterThan(700_000)
    expect(turns).toBeGreaterThanOrEqual(Math.floor(text.length / (34 * 1024)))
  })

  it('escapes what would end a label, and begins no line within one', async () => {
    const counter = createCounter('mcp_auth_proxy_x', 'Help.', ['server'])
    counter.add('a"} 1\nmcp_auth_proxy_forged 2\n\\')
    const line = 'mcp_auth_proxy_x_total{server="a\\"} 1\\nmcp_auth_proxy_forged 2\\n\\\\"} 1'
    expect(await readMetrics([counter])).toBe(
      `# HELP mcp_auth_proxy_x_total Help.\n# TYPE mcp_auth_proxy_x_total counter\n${line}\n`,
    )
  })

  it('shows series that come while it is written, and leaves out a metric without any', async () => {
    const counter = createCounter('mcp_auth_proxy_x', 'Help.', ['server'])
    const none = createCounter('mcp_auth_proxy_y', 'Help.', [])
    for (let i = 0; i < 5000; i++) counter.add(`server-${i}`)
    const written = readMetrics([counter, none])
    counter.add('late')
    const text = await written
    expect(text).toContain('{server="late"} 1')
    expect(text).not.toContain('mcp_auth_proxy_y')
    expect(text.match(/# TYPE/g)).toHaveLength(1)
  })
})
