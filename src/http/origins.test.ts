import { describe, expect, it } from 'vitest'
import { checkOrigin, createOriginRules } from './origins.ts'

const accepts = (origin: string | undefined, allowedOrigins: readonly string[] | '*', publicUrl = 'https://mcp.example') => {
  try {
    checkOrigin(origin, createOriginRules({ allowedOrigins }, publicUrl))
    return true
  } catch (error) {
    expect(error).toMatchObject({ code: 'origin_denied' })
    return false
  }
}

describe('an origin', () => {
  it.each([undefined, 'https://mcp.example', 'https://claude.ai', 'https://app.example'])('%s is accepted', (origin) => {
    expect(accepts(origin, ['https://app.example'])).toBe(true)
  })

  it.each(['https://evil.example', 'null', 'http://mcp.example', 'https://mcp.example.evil', 'http://localhost:3000', ''])(
    '%j is refused',
    (origin) => {
      expect(accepts(origin, ['https://app.example'])).toBe(false)
    },
  )

  it('of this machine is accepted where the proxy serves this machine alone', () => {
    for (const origin of ['http://localhost:3000', 'http://127.0.0.1', 'https://[::1]:8443']) {
      expect(accepts(origin, [], 'http://localhost:8080')).toBe(true)
    }
    expect(accepts('http://localhost.evil', [], 'http://localhost:8080')).toBe(false)
  })

  it('of any kind is accepted with a star', () => {
    expect(accepts('https://evil.example', '*')).toBe(true)
  })
})
