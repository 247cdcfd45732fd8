/**
 * The program of the sandbox container: a static ELF executable of a few instructions. As process 1 of the pod's
 * namespaces it holds them open, reaps the children that are left to it, and exits at SIGTERM and SIGINT.
 *
 * It blocks the three signals (the kernel drops unblocked signals that process 1 has no handler for) and waits for them:
 *
 *     rt_sigprocmask(SIG_BLOCK, {SIGINT, SIGTERM, SIGCHLD})
 *     wait: signal = rt_sigtimedwait(set, NULL, NULL)
 *           SIGCHLD  -> while (wait4(-1, NULL, WNOHANG, NULL) > 0); goto wait
 *           -EINTR   -> goto wait
 *           else     -> exit_group(0)
 */
export function pauseExecutable(architecture: 'amd64' | 'arm64'): Uint8Array {
  return architecture === 'amd64' ? elf(EM_X86_64, amd64Code()) : elf(EM_AARCH64, arm64Code());
}

const SIGINT = 2;
const SIGTERM = 15;
const SIGCHLD = 17;
const EINTR = 4;
const WNOHANG = 1;
/** A kernel sigset_t: bit n-1 for signal n, 8 bytes. */
const SIGSET = (1 << (SIGINT - 1)) | (1 << (SIGTERM - 1)) | (1 << (SIGCHLD - 1));
const SIGSET_BYTES = 8;

const EM_X86_64 = 62;
const EM_AARCH64 = 183;
const LOAD_ADDRESS = 0x400000;
const ELF_HEADER = 64;
const PROGRAM_HEADER = 56;

/** One read-and-execute segment that maps the whole file; the entry point follows the headers. */
function elf(machine: number, code: Uint8Array): Uint8Array {
  const size = ELF_HEADER + PROGRAM_HEADER + code.byteLength;
  const file = Buffer.alloc(size);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]); // magic, 64 bit, little endian, version 1; System V ABI
  file.writeUInt16LE(2, 16); // ET_EXEC
  file.writeUInt16LE(machine, 18);
  file.writeUInt32LE(1, 20); // version
  file.writeBigUInt64LE(BigInt(LOAD_ADDRESS + ELF_HEADER + PROGRAM_HEADER), 24); // entry
  file.writeBigUInt64LE(BigInt(ELF_HEADER), 32); // program headers
  file.writeUInt16LE(ELF_HEADER, 52);
  file.writeUInt16LE(PROGRAM_HEADER, 54);
  file.writeUInt16LE(1, 56); // one program header
  const at = ELF_HEADER;
  file.writeUInt32LE(1, at); // PT_LOAD
  file.writeUInt32LE(5, at + 4); // readable, executable
  file.writeBigUInt64LE(0n, at + 8); // file offset
  file.writeBigUInt64LE(BigInt(LOAD_ADDRESS), at + 16);
  file.writeBigUInt64LE(BigInt(LOAD_ADDRESS), at + 24);
  file.writeBigUInt64LE(BigInt(size), at + 32);
  file.writeBigUInt64LE(BigInt(size), at + 40);
  file.writeBigUInt64LE(0x10000n, at + 48); // alignment: arm64 kernels may use 64 KiB pages
  file.set(code, ELF_HEADER + PROGRAM_HEADER);
  return file;
}

/** Instructions with labels: `refer` writes a placeholder and remembers how to fill it once all labels are known. */
function assemble(
  build: (code: {
    emit(...bytes: number[]): void;
    label(name: string): void;
    refer(name: string, bytes: number, fill: (distance: number) => number[]): void;
  }) => void,
): Uint8Array {
  const bytes: number[] = [];
  const labels = new Map<string, number>();
  const references: { at: number; name: string; fill: (distance: number) => number[] }[] = [];
  build({
    emit: (...more) => void bytes.push(...more),
    label: (name) => void labels.set(name, bytes.length),
    refer(name, length, fill) {
      references.push({ at: bytes.length, name, fill });
      for (let i = 0; i < length; i++) bytes.push(0);
    },
  });
  for (const { at, name, fill } of references) {
    const target = labels.get(name);
    if (target === undefined) throw new Error(`no label ${name}`);
    fill(target - at).forEach((byte, i) => {
      bytes[at + i] = byte;
    });
  }
  return Uint8Array.from(bytes);
}

const int32 = (value: number) => [value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, (value >>> 24) & 0xff];
const sigset = [...int32(SIGSET), 0, 0, 0, 0];

/** System V x86-64: number in eax, arguments in rdi, rsi, rdx, r10. */
function amd64Code(): Uint8Array {
  return assemble(({ emit, label, refer }) => {
    const movEax = (value: number) => emit(0xb8, ...int32(value));
    const syscall = () => emit(0x0f, 0x05);
    const jump = (opcode: number, name: string) => {
      emit(opcode);
      refer(name, 1, (distance) => [(distance - 1) & 0xff]);
    };
    movEax(14); // rt_sigprocmask
    emit(0x31, 0xff); // xor edi, edi: SIG_BLOCK
    emit(0x48, 0x8d, 0x35); // lea rsi, [rip + set]
    refer('set', 4, (distance) => int32(distance - 4));
    emit(0x31, 0xd2); // xor edx, edx
    emit(0x41, 0xba, ...int32(SIGSET_BYTES)); // mov r10d, 8
    syscall();
    label('wait');
    movEax(128); // rt_sigtimedwait
    emit(0x48, 0x8d, 0x3d); // lea rdi, [rip + set]
    refer('set', 4, (distance) => int32(distance - 4));
    emit(0x31, 0xf6); // xor esi, esi
    emit(0x31, 0xd2); // xor edx, edx
    emit(0x41, 0xba, ...int32(SIGSET_BYTES)); // mov r10d, 8
    syscall();
    emit(0x83, 0xf8, SIGCHLD); // cmp eax, SIGCHLD
    jump(0x74, 'reap'); // je
    emit(0x83, 0xf8, -EINTR & 0xff); // cmp eax, -EINTR
    jump(0x74, 'wait'); // je
    movEax(231); // exit_group
    emit(0x31, 0xff); // xor edi, edi
    syscall();
    label('reap');
    movEax(61); // wait4
    emit(0x48, 0xc7, 0xc7, ...int32(-1)); // mov rdi, -1
    emit(0x31, 0xf6); // xor esi, esi
    emit(0xba, ...int32(WNOHANG)); // mov edx, WNOHANG
    emit(0x45, 0x31, 0xd2); // xor r10d, r10d
    syscall();
    emit(0x85, 0xc0); // test eax, eax
    jump(0x7f, 'reap'); // jg
    jump(0xeb, 'wait'); // jmp
    label('set');
    emit(...sigset);
  });
}

/** AAPCS64: number in x8, arguments in x0 to x3. Every instruction is a little-endian word. */
function arm64Code(): Uint8Array {
  return assemble(({ emit, label, refer }) => {
    const word = (value: number) => emit(...int32(value));
    const movz = (register: number, value: number) => word(0xd2800000 | (value << 5) | register);
    const minusOne = (register: number) => word(0x92800000 | register); // movn x, #0
    const adr = (register: number, name: string) =>
      refer(name, 4, (distance) =>
        int32(0x10000000 | ((distance & 3) << 29) | (((distance >> 2) & 0x7ffff) << 5) | register),
      );
    const branch = (condition: number, name: string) =>
      refer(name, 4, (distance) => int32(0x54000000 | (((distance >> 2) & 0x7ffff) << 5) | condition));
    const EQ = 0;
    const GT = 12;
    const syscall = (number: number) => {
      movz(8, number);
      word(0xd4000001); // svc #0
    };
    movz(0, 0); // SIG_BLOCK
    adr(1, 'set');
    movz(2, 0);
    movz(3, SIGSET_BYTES);
    syscall(135); // rt_sigprocmask
    label('wait');
    adr(0, 'set');
    movz(1, 0);
    movz(2, 0);
    movz(3, SIGSET_BYTES);
    syscall(137); // rt_sigtimedwait
    word(0x7100001f | (SIGCHLD << 10)); // cmp w0, #SIGCHLD
    branch(EQ, 'reap');
    word(0x3100001f | (EINTR << 10)); // cmn w0, #EINTR
    branch(EQ, 'wait');
    movz(0, 0);
    syscall(94); // exit_group
    label('reap');
    minusOne(0);
    movz(1, 0);
    movz(2, WNOHANG);
    movz(3, 0);
    syscall(260); // wait4
    word(0x7100001f); // cmp w0, #0
    branch(GT, 'reap');
    refer('wait', 4, (distance) => int32(0x14000000 | ((distance >> 2) & 0x3ffffff))); // b
    label('set');
    emit(...sigset);
  });
}
