import { describe, expect, it } from 'vitest'
import { normalizeTokenAnswer } from './token-response.ts'

const FORM = 'application/x-www-form-urlencoded; charset=utf-8'

async function normalize(body: string, type: string, status = 200): Promise<{ status: number; body: string }> {
  const answer = await normalizeTokenAnswer(new Response(body, { status, headers: { 'content-type': type } }))
  return { status: answer.status, body: await answer.text() }
}

describe('the answer of a token endpoint from before the standard', () => {
  it('is an error when it says so, whatever its status', async () => {
    const answer = await normalize('{"error":"bad_verification_code","error_description":"old"}', 'application/json')
    expect(answer).toEqual({ status: 400, body: '{"error":"bad_verification_code","error_description":"old"}' })
    expect(await normalize('error=bad_verification_code', FORM)).toEqual({
      status: 400,
      body: '{"error":"bad_verification_code"}',
    })
  })

  it('is read from the form encoding', async () => {
    const { status, body } = await normalize('access_token=gho_1&scope=read%3Auser%2Cread%3Aorg&token_type=bearer', FORM)
    expect(status).toBe(200)
    expect(JSON.parse(body)).toEqual({ access_token: 'gho_1', scope: 'read:user,read:org', token_type: 'bearer' })
  })

  it('is not read as a form that would take seconds to read', async () => {
    const form = `access_token=gho_1${'&a'.repeat(1000)}`
    expect(await normalize(form, FORM)).toEqual({ status: 200, body: form })
  })

  it.each(['', ',"token_type":null', ',"token_type":""'])(
    'is that of a bearer token where it names no type (OpenAuth): %j',
    async (type) => {
      const { body } = await normalize(`{"access_token":"a"${type}}`, 'application/json')
      expect(JSON.parse(body)).toEqual({ access_token: 'a', token_type: 'bearer' })
    },
  )

  it('keeps the type that it names, and gives none to what is no token', async () => {
    expect(await normalize('{"access_token":"a","token_type":"DPoP"}', 'application/json')).toMatchObject({
      body: '{"access_token":"a","token_type":"DPoP"}',
    })
    expect(await normalize('{"refresh_token":"a"}', 'application/json')).toMatchObject({ body: '{"refresh_token":"a"}' })
  })

  it.each([
    ['access_token=a&access_token=b&token_type=bearer', FORM],
    ['<html>', 'text/html'],
    ['[1]', 'application/json'],
    ['nothing=here', FORM],
  ])('passes as it is when it is neither: %s', async (body, type) => {
    expect(await normalize(body, type)).toEqual({ status: 200, body })
  })

  it('of another status passes as it is', async () => {
    expect(await normalize('error=x', FORM, 503)).toEqual({ status: 503, body: 'error=x' })
  })
})
