// The library registers its parts by reflection, which has to be there before it.
import 'reflect-metadata';

// By name: a bundle's dynamic import of a CommonJS package has a default export only.
export { Pkcs10CertificateRequest, SubjectAlternativeNameExtension } from '@peculiar/x509';
