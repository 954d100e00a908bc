// The same cases on the Model that people start with.
process.env.BUGLESS_TEST_MODEL = '@bugless/model-postgres';
await import('./http.test.ts');
