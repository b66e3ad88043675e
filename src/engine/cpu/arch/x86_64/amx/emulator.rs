//! AMX in software, for tests on processors without it: each of its instructions raises SIGILL there, and the handler of
//! the signal performs it, as volume 2 of Intel's Software Developer's Manual describes it.
//!
//! If a processor would report a fault, the process ends with a message.

use std::cell::UnsafeCell;
use std::sync::Once;

/// Tile registers.
const REGISTERS: usize = 8;
/// Largest number of rows of a register.
const MAX_ROWS: usize = 16;
/// Largest number of bytes in a row of a register.
const MAX_BYTES: usize = 64;

/// A register's shape and contents. Both numbers are zero if it is not configured.
#[derive(Clone, Copy)]
struct Register {
    rows: usize,
    bytes: usize,
    values: [[u8; MAX_BYTES]; MAX_ROWS],
}

/// The state of a thread.
pub(super) struct Emulator {
    configured: bool,
    registers: [Register; REGISTERS],
}

const INITIAL: Emulator = Emulator {
    configured: false,
    registers: [Register { rows: 0, bytes: 0, values: [[0; MAX_BYTES]; MAX_ROWS] }; REGISTERS],
};

thread_local! {
    // Constant and without a destructor, so that a signal handler can use it.
    static EMULATOR: UnsafeCell<Emulator> = const { UnsafeCell::new(INITIAL) };
}

/// Performs instructions of AMX from now on, in this process.
pub(super) fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        // SAFETY: the handler has the signature of SA_SIGINFO. All zeros is an action without flags and masked signals.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            let handler: extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void) = handle;
            action.sa_sigaction = handler as libc::sighandler_t;
            action.sa_flags = libc::SA_SIGINFO;
            assert_eq!(libc::sigaction(libc::SIGILL, &raw const action, std::ptr::null_mut()), 0);
        }
    });
}

/// Numbers of the general registers in instructions, as indices of a signal's context.
const GENERAL: [i32; 16] = [
    libc::REG_RAX,
    libc::REG_RCX,
    libc::REG_RDX,
    libc::REG_RBX,
    libc::REG_RSP,
    libc::REG_RBP,
    libc::REG_RSI,
    libc::REG_RDI,
    libc::REG_R8,
    libc::REG_R9,
    libc::REG_R10,
    libc::REG_R11,
    libc::REG_R12,
    libc::REG_R13,
    libc::REG_R14,
    libc::REG_R15,
];

/// Performs the instruction that raised the signal, and those of AMX after it: a signal takes longer than most of them.
extern "C" fn handle(_: i32, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel passes a context to handlers with SA_SIGINFO. The signal is raised by the instruction itself,
    // so no other code of this thread is using its emulator. Instructions follow each other in memory, and their
    // operands are what compiled code says.
    unsafe {
        let registers = &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs;
        let general = GENERAL.map(|index| registers[index as usize].cast_unsigned());
        let emulator = EMULATOR.with(UnsafeCell::get);
        let start = registers[libc::REG_RIP as usize];
        let mut next = start;
        loop {
            match (*emulator).step(next as *const u8, &general) {
                Ok(Some(length)) => next += length as i64,
                Ok(None) => break,
                Err(problem) => {
                    for text in ["AMX emulator: ", problem, "\n"] {
                        libc::write(2, text.as_ptr().cast(), text.len());
                    }
                    libc::abort();
                }
            }
        }
        if next == start {
            // Not of AMX: the default action, when it is tried again.
            libc::signal(libc::SIGILL, libc::SIG_DFL);
        }
        registers[libc::REG_RIP as usize] = next;
    }
}

/// Reads an instruction byte by byte.
struct Reader(*const u8, usize);

impl Reader {
    /// # Safety
    /// The instruction has another byte.
    unsafe fn byte(&mut self) -> u8 {
        self.1 += 1;
        // SAFETY: the caller guarantees it.
        unsafe { self.0.add(self.1 - 1).read() }
    }
}

/// The operands in memory: the address of the first row, and the distance to the next.
#[derive(Clone, Copy)]
struct Memory {
    address: u64,
    stride: u64,
}

impl Memory {
    fn row(self, row: usize) -> *mut u8 {
        self.address.wrapping_add(self.stride.wrapping_mul(row as u64)) as *mut u8
    }
}

type Outcome<T> = Result<T, &'static str>;

/// Returns an error if a condition does not hold.
fn require(condition: bool, problem: &'static str) -> Outcome<()> {
    if condition { Ok(()) } else { Err(problem) }
}

impl Emulator {
    pub(super) fn new() -> Box<Self> {
        Box::new(INITIAL)
    }

    /// Performs one instruction and returns its length, or `None` if it is not one of AMX.
    ///
    /// # Safety
    /// `at` points at an instruction whose memory operand, with these general registers, can be accessed.
    pub(super) unsafe fn step(&mut self, at: *const u8, general: &[u64; 16]) -> Outcome<Option<usize>> {
        let mut code = Reader(at, 0);
        // SAFETY: each byte that is read belongs to the instruction, as the ones before it say.
        unsafe {
            if code.byte() != 0xC4 {
                return Ok(None);
            }
            let (map, flags) = (code.byte(), code.byte());
            // VEX: the inverted bits R, X, B and the map 0F38; W, the inverted vvvv, L, and the prefix.
            if map & 0x1F != 2 || flags & 0x84 != 0 {
                return Ok(None);
            }
            let opcode = code.byte();
            if !matches!(opcode, 0x49 | 0x4B | 0x5E) {
                return Ok(None);
            }
            let prefix = ["", "66", "F3", "F2"][usize::from(flags & 3)];
            let modrm = code.byte();
            let (mode, reg, rm) = (modrm >> 6, usize::from(modrm >> 3 & 7), usize::from(modrm & 7));
            let third = usize::from(!flags >> 3 & 15);
            require(opcode == 0x5E || third == 0, "#UD: vvvv is used")?;
            require(map & 0x80 != 0, "#UD: there are eight tile registers")?;
            match (opcode, prefix, mode) {
                (0x49, "", 3) if modrm == 0xC0 => *self = INITIAL,
                (0x49, "", 0..3) if reg == 0 => {
                    let from = memory(&mut code, map, mode, rm, general)?;
                    self.configure(&from.row(0).cast::<[u8; 64]>().read_unaligned())?;
                }
                (0x49, "F2", 3) if rm == 0 => self.register(reg)?.values = [[0; MAX_BYTES]; MAX_ROWS],
                (0x4B, "F2" | "66", 0..3) => {
                    require(rm == 4, "#UD: no SIB byte")?;
                    let from = memory(&mut code, map, mode, rm, general)?;
                    let to = self.register(reg)?;
                    to.values = [[0; MAX_BYTES]; MAX_ROWS];
                    for row in 0..to.rows {
                        std::ptr::copy_nonoverlapping(from.row(row), to.values[row].as_mut_ptr(), to.bytes);
                    }
                }
                (0x4B, "F3", 0..3) => {
                    require(rm == 4, "#UD: no SIB byte")?;
                    let to = memory(&mut code, map, mode, rm, general)?;
                    let from = self.register(reg)?;
                    for row in 0..from.rows {
                        std::ptr::copy_nonoverlapping(from.values[row].as_ptr(), to.row(row), from.bytes);
                    }
                }
                (0x5E, _, 3) => {
                    require(map & 0x20 != 0 && third < REGISTERS, "#UD: there are eight tile registers")?;
                    // TDPBUUD, TDPBUSD, TDPBSUD and TDPBSSD.
                    self.multiply([reg, rm, third], [flags & 2 != 0, flags & 1 != 0])?;
                }
                _ => return Err("an instruction that is not emulated"),
            }
        }
        Ok(Some(code.1))
    }

    /// Returns a configured register.
    fn register(&mut self, index: usize) -> Outcome<&mut Register> {
        require(self.configured, "#UD: no tile register is configured")?;
        let register = &mut self.registers[index];
        require(register.rows > 0, "#UD: the tile register is not configured")?;
        Ok(register)
    }

    /// LDTILECFG.
    fn configure(&mut self, config: &[u8; 64]) -> Outcome<()> {
        *self = INITIAL;
        if config[0] == 0 {
            return Ok(());
        }
        require(config[0] == 1, "#GP: the palette does not exist")?;
        require(config[1] == 0, "a start row is not emulated")?;
        require(config[2..16].iter().all(|&byte| byte == 0), "#GP: reserved bytes are not zero")?;
        let bytes = config[16..48].as_chunks().0.iter().map(|&bytes| usize::from(u16::from_le_bytes(bytes)));
        for (index, (bytes, &rows)) in bytes.zip(&config[48..]).enumerate() {
            let rows = usize::from(rows);
            require(index < REGISTERS || (rows, bytes) == (0, 0), "#GP: there are eight tile registers")?;
            require(rows <= MAX_ROWS && bytes <= MAX_BYTES, "#GP: a tile register is too large")?;
            require((rows == 0) == (bytes == 0), "#GP: only one of rows and bytes is zero")?;
            if index < REGISTERS {
                (self.registers[index].rows, self.registers[index].bytes) = (rows, bytes);
            }
        }
        self.configured = true;
        Ok(())
    }

    /// Adds the products of the second and the third register, whose bytes are signed or not, to the first.
    fn multiply(&mut self, indices: [usize; 3], signed: [bool; 2]) -> Outcome<()> {
        let [mut sums, a, b] =
            [*self.register(indices[0])?, *self.register(indices[1])?, *self.register(indices[2])?];
        let [first, second, third] = indices;
        require(first != second && first != third && second != third, "#UD: a tile register is used twice")?;
        require([sums, a, b].iter().all(|of| of.bytes % 4 == 0), "#UD: bytes are no multiple of four")?;
        require(a.rows == sums.rows, "#UD: the rows of the sums and the first operand differ")?;
        require(b.bytes == sums.bytes, "#UD: the columns of the sums and the second operand differ")?;
        require(a.bytes / 4 == b.rows, "#UD: the depths of the operands differ")?;
        let extend = |byte: u8, signed: bool| {
            if signed { i32::from(byte.cast_signed()) } else { i32::from(byte) }
        };
        for (row, values) in sums.values.iter_mut().enumerate() {
            if row >= sums.rows {
                values.fill(0);
                continue;
            }
            let mut row_sums: [i32; MAX_BYTES / 4] = std::array::from_fn(|column| {
                i32::from_le_bytes(std::array::from_fn(|byte| values[4 * column + byte]))
            });
            for k in 0..a.bytes / 4 {
                let factors: [i32; 4] =
                    std::array::from_fn(|byte| extend(a.values[row][4 * k + byte], signed[0]));
                for (sum, weights) in row_sums.iter_mut().zip(b.values[k].as_chunks::<4>().0) {
                    for (factor, &weight) in factors.iter().zip(weights) {
                        *sum = sum.wrapping_add(factor * extend(weight, signed[1]));
                    }
                }
            }
            values.fill(0);
            for (to, sum) in values[..sums.bytes].as_chunks_mut::<4>().0.iter_mut().zip(row_sums) {
                *to = sum.to_le_bytes();
            }
        }
        self.registers[first] = sums;
        Ok(())
    }
}

/// Reads the rest of a memory operand. With a SIB byte, the index is the stride and only added row by row.
///
/// # Safety
/// The bytes are those of an instruction.
unsafe fn memory(code: &mut Reader, map: u8, mode: u8, rm: usize, general: &[u64; 16]) -> Outcome<Memory> {
    let [extends_base, extends_index] =
        [map & 0x20 == 0, map & 0x40 == 0].map(|extends| usize::from(extends) * 8);
    // SAFETY: the caller guarantees it.
    unsafe {
        let (base, stride) = if rm == 4 {
            let sib = code.byte();
            let index = usize::from(sib >> 3 & 7) + extends_index;
            let stride = if index == 4 { 0 } else { general[index] << (sib >> 6) };
            (usize::from(sib & 7), stride)
        } else {
            (rm, 0)
        };
        require(mode != 0 || base != 5, "an address without a base register is not emulated")?;
        let displacement = match mode {
            0 => 0,
            1 => i64::from(code.byte().cast_signed()),
            _ => i64::from(i32::from_le_bytes([code.byte(), code.byte(), code.byte(), code.byte()])),
        };
        let address = general[base + extends_base].wrapping_add_signed(displacement);
        Ok(Memory { address, stride })
    }
}
