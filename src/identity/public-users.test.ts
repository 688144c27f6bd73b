import { describe, expect, it } from 'vitest'
import { findPublicUsers } from './public-users.ts'

describe('an identity provider', () => {
  it.each([
    'https://accounts.google.com',
    'https://github.com/login/oauth/authorize',
    'https://gitlab.com',
    'https://discord.com/oauth2/authorize',
    'https://acme.eu.auth0.com/',
    'https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_A',
    'https://login.microsoftonline.com/common/v2.0',
    'https://login.microsoftonline.com/organizations/oauth2/v2.0/authorize',
    'https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0',
    'https://login.microsoftonline.com/{tenantid}/v2.0',
    'https://sts.windows.net/consumers/',
  ])('is known to be open to everybody: %s', (url) => {
    expect(findPublicUsers(url)).toMatch(/^everybody /)
  })

  it.each([
    'https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0',
    'https://github.com.example.com/',
    'https://git.example.com/login/oauth/authorize',
    'https://example.okta.com',
    'https://evil-accounts.google.com.example',
    'no URL',
  ])('is not: %s', (url) => {
    expect(findPublicUsers(url)).toBeUndefined()
  })
})
