import { generate } from 'selfsigned';

/** PEM texts for tests of TLS on loopback: fresh, valid for a day, from an authority made for them. */
export interface TestCertificates {
  readonly ca: string;
  /** For localhost, 127.0.0.1, ::1 and the name `plugin.test`. */
  readonly server: { readonly cert: string; readonly key: string };
  readonly client: { readonly cert: string; readonly key: string };
}

/** Makes an authority, and a certificate each for a server and a client. */
export async function createTestCertificates(): Promise<TestCertificates> {
  const common = { keyType: 'ec', algorithm: 'sha256', notAfterDate: new Date(Date.now() + 86_400_000) } as const;
  const authority = await generate([{ name: 'commonName', value: 'Bugless test authority' }], {
    ...common,
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, digitalSignature: true, critical: true },
    ],
  });
  const ca = { key: authority.private, cert: authority.cert };
  const issue = async (name: string) => {
    const issued = await generate([{ name: 'commonName', value: name }], {
      ...common,
      ca,
      extensions: [
        { name: 'basicConstraints', cA: false },
        { name: 'extKeyUsage', serverAuth: true, clientAuth: true },
        {
          name: 'subjectAltName',
          altNames: [
            { type: 2, value: 'localhost' },
            { type: 2, value: 'plugin.test' },
            { type: 7, ip: '127.0.0.1' },
            { type: 7, ip: '::1' },
          ],
        },
      ],
    });
    return { cert: issued.cert, key: issued.private };
  };
  return { ca: ca.cert, server: await issue('Bugless test server'), client: await issue('Bugless test client') };
}
