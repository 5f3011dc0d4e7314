; Each kernel shows one operation: a warp's lanes read their operands and write their results.
target triple = "nvptx64-nvidia-cuda"

@table = internal addrspace(4) constant [4 x i32] [i32 10, i32 20, i32 30, i32 40], align 4
@tile = internal addrspace(3) global [32 x [8 x half]] undef, align 16
@room = external addrspace(3) global [0 x i8], align 16

declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.tid.y()
declare i32 @llvm.nvvm.read.ptx.sreg.ntid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.z()
declare i32 @llvm.nvvm.read.ptx.sreg.nctaid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.laneid()
declare { i32, i1 } @llvm.nvvm.shfl.sync.bfly.i32p(i32, i32, i32, i32) convergent
declare i32 @llvm.nvvm.shfl.sync.idx.i32(i32, i32, i32, i32) convergent
declare { i32, i1 } @llvm.nvvm.shfl.sync.up.i32p(i32, i32, i32, i32) convergent
declare { i32, i1 } @llvm.nvvm.shfl.sync.down.i32p(i32, i32, i32, i32) convergent
declare i1 @llvm.nvvm.vote.all.sync(i32, i1) convergent
declare i1 @llvm.nvvm.vote.any.sync(i32, i1) convergent
declare i1 @llvm.nvvm.vote.uni.sync(i32, i1) convergent
declare i32 @llvm.nvvm.vote.ballot.sync(i32, i1) convergent
declare i32 @llvm.nvvm.redux.sync.add(i32, i32) convergent
declare float @llvm.nvvm.ex2.approx.ftz.f32(float)
declare float @llvm.nvvm.rsqrt.approx.ftz.f(float)
declare float @llvm.nvvm.rcp.approx.ftz.f(float)
declare float @llvm.nvvm.sqrt.approx.f(float)
declare float @llvm.exp2.f32(float)
declare i32 @llvm.nvvm.idp4a.s.u(i32, i32, i32)
declare void @llvm.nvvm.bar.warp.sync(i32) convergent
declare { i32, i32, i32, i32 } @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.trans.b16.p3(ptr addrspace(3)) convergent
declare i32 @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x1.b16.p3(ptr addrspace(3)) convergent
declare { i32, i32, i32, i32 } @llvm.nvvm.mma.m16n8k32.row.col.s8(i32, i32, i32, i32, i32, i32, i32, i32, i32, i32)
declare { float, float, float, float } @llvm.nvvm.mma.m16n8k16.row.col.bf16(i32, i32, i32, i32, i32, i32, float, float, float, float)
declare { <2 x half>, <2 x half> } @llvm.nvvm.mma.m16n8k16.row.col.f16.f16(<2 x half>, <2 x half>, <2 x half>, <2 x half>, <2 x half>, <2 x half>, <2 x half>, <2 x half>)
declare void @llvm.nvvm.cp.async.ca.shared.global.4.s(ptr addrspace(3), ptr addrspace(1), i32)
declare void @llvm.nvvm.cp.async.wait.all()
declare void @llvm.nvvm.griddepcontrol.wait()
declare void @llvm.memcpy.p0.p1.i64(ptr, ptr addrspace(1), i64, i1)

define internal void @keep(ptr addrspace(1) %out, i32 %i, i32 %value) {
  %lane = call i32 @llvm.nvvm.read.ptx.sreg.laneid()
  %first = mul i32 %i, 32
  %at = add i32 %first, %lane
  %to = getelementptr i32, ptr addrspace(1) %out, i32 %at
  store i32 %value, ptr addrspace(1) %to, align 4
  ret void
}

; out[row][lane]: rows 0, 1 down and its predicate, 2, 3 up, 4 from lane 5 of each half, 5 butterfly within a half
define ptx_kernel void @shuffles(ptr addrspace(1) %out) {
  %lane = call i32 @llvm.nvvm.read.ptx.sreg.laneid()
  %value = mul i32 %lane, 100
  %down = call { i32, i1 } @llvm.nvvm.shfl.sync.down.i32p(i32 -1, i32 %value, i32 3, i32 31)
  %dv = extractvalue { i32, i1 } %down, 0
  %dp = extractvalue { i32, i1 } %down, 1
  %di = zext i1 %dp to i32
  call void @keep(ptr addrspace(1) %out, i32 0, i32 %dv)
  call void @keep(ptr addrspace(1) %out, i32 1, i32 %di)
  %up = call { i32, i1 } @llvm.nvvm.shfl.sync.up.i32p(i32 -1, i32 %value, i32 3, i32 0)
  %uv = extractvalue { i32, i1 } %up, 0
  %upp = extractvalue { i32, i1 } %up, 1
  %ui = zext i1 %upp to i32
  call void @keep(ptr addrspace(1) %out, i32 2, i32 %uv)
  call void @keep(ptr addrspace(1) %out, i32 3, i32 %ui)
  ; clamp 31, segment mask 0b10000: halves of the warp
  %idx = call i32 @llvm.nvvm.shfl.sync.idx.i32(i32 -1, i32 %value, i32 5, i32 4127)
  call void @keep(ptr addrspace(1) %out, i32 4, i32 %idx)
  %bfly = call { i32, i1 } @llvm.nvvm.shfl.sync.bfly.i32p(i32 -1, i32 %value, i32 8, i32 4127)
  %bv = extractvalue { i32, i1 } %bfly, 0
  call void @keep(ptr addrspace(1) %out, i32 5, i32 %bv)
  ret void
}

; of lanes 0 to 15 only: rows 0 all, 1 any, 2 uniform, 3 ballot, 4 sum; the predicate is an odd lane
define ptx_kernel void @votes(ptr addrspace(1) %out) {
  %lane = call i32 @llvm.nvvm.read.ptx.sreg.laneid()
  %odd = and i32 %lane, 1
  %isodd = icmp ne i32 %odd, 0
  %isin = icmp ult i32 %lane, 16
  br i1 %isin, label %half, label %done
half:
  %all = call i1 @llvm.nvvm.vote.all.sync(i32 65535, i1 %isodd)
  %any = call i1 @llvm.nvvm.vote.any.sync(i32 65535, i1 %isodd)
  %uni = call i1 @llvm.nvvm.vote.uni.sync(i32 65535, i1 %isodd)
  %ballot = call i32 @llvm.nvvm.vote.ballot.sync(i32 65535, i1 %isodd)
  %sum = call i32 @llvm.nvvm.redux.sync.add(i32 %lane, i32 65535)
  %ai = zext i1 %all to i32
  %yi = zext i1 %any to i32
  %ui = zext i1 %uni to i32
  call void @keep(ptr addrspace(1) %out, i32 0, i32 %ai)
  call void @keep(ptr addrspace(1) %out, i32 1, i32 %yi)
  call void @keep(ptr addrspace(1) %out, i32 2, i32 %ui)
  call void @keep(ptr addrspace(1) %out, i32 3, i32 %ballot)
  call void @keep(ptr addrspace(1) %out, i32 4, i32 %sum)
  br label %done
done:
  ret void
}

define ptx_kernel void @functions(ptr addrspace(1) %in, ptr addrspace(1) %out) {
  call void @llvm.nvvm.griddepcontrol.wait()
  %tid = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %from = getelementptr float, ptr addrspace(1) %in, i32 %tid
  %x = load float, ptr addrspace(1) %from, align 4
  %exp = call float @llvm.nvvm.ex2.approx.ftz.f32(float %x)
  %rsqrt = call float @llvm.nvvm.rsqrt.approx.ftz.f(float %x)
  %rcp = call float @llvm.nvvm.rcp.approx.ftz.f(float %x)
  %sqrt = call float @llvm.nvvm.sqrt.approx.f(float %x)
  %exp2 = call float @llvm.exp2.f32(float %x)
  %i0 = bitcast float %exp to i32
  %i1 = bitcast float %rsqrt to i32
  %i2 = bitcast float %rcp to i32
  %i3 = bitcast float %sqrt to i32
  %i4 = bitcast float %exp2 to i32
  call void @keep(ptr addrspace(1) %out, i32 0, i32 %i0)
  call void @keep(ptr addrspace(1) %out, i32 1, i32 %i1)
  call void @keep(ptr addrspace(1) %out, i32 2, i32 %i2)
  call void @keep(ptr addrspace(1) %out, i32 3, i32 %i3)
  call void @keep(ptr addrspace(1) %out, i32 4, i32 %i4)
  %dot = call i32 @llvm.nvvm.idp4a.s.u(i32 -16843010, i32 66051, i32 7)
  call void @keep(ptr addrspace(1) %out, i32 5, i32 %dot)
  ret void
}

; Pairs of floats, rounded to bf16.
define ptx_kernel void @bfloats(ptr addrspace(1) %in, ptr addrspace(1) %out) {
  %lane = call i32 @llvm.nvvm.read.ptx.sreg.laneid()
  %from = getelementptr <2 x float>, ptr addrspace(1) %in, i32 %lane
  %pair = load <2 x float>, ptr addrspace(1) %from, align 8
  %narrow = fptrunc <2 x float> %pair to <2 x bfloat>
  %word = bitcast <2 x bfloat> %narrow to i32
  call void @keep(ptr addrspace(1) %out, i32 0, i32 %word)
  ret void
}

; A block of 8 x 4 threads in a grid of (2, 1, 3): every number in its place, and a table in constant memory.
define ptx_kernel void @numbers(ptr addrspace(1) %out) {
  %x = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %y = call i32 @llvm.nvvm.read.ptx.sreg.tid.y()
  %nx = call i32 @llvm.nvvm.read.ptx.sreg.ntid.x()
  %bx = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
  %bz = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.z()
  %gx = call i32 @llvm.nvvm.read.ptx.sreg.nctaid.x()
  %t0 = mul i32 %y, %nx
  %t = add i32 %t0, %x
  %b0 = mul i32 %bz, %gx
  %b = add i32 %b0, %bx
  %first = mul i32 %b, 32
  %at = add i32 %first, %t
  %entry = getelementptr [4 x i32], ptr addrspace(4) @table, i32 0, i32 %y
  %value = load i32, ptr addrspace(4) %entry, align 4
  %to = getelementptr i32, ptr addrspace(1) %out, i32 %at
  store i32 %value, ptr addrspace(1) %to, align 4
  ret void
}

; Four transposed matrices, and the first of them as it is, of the 32 x 8 halves at in.
define ptx_kernel void @matrices(ptr addrspace(1) %in, ptr addrspace(1) %out) {
  %lane = call i32 @llvm.nvvm.read.ptx.sreg.laneid()
  %row = getelementptr [8 x half], ptr addrspace(1) %in, i32 %lane
  %line = load <4 x i32>, ptr addrspace(1) %row, align 16
  %mine = getelementptr [32 x [8 x half]], ptr addrspace(3) @tile, i32 0, i32 %lane
  store <4 x i32> %line, ptr addrspace(3) %mine, align 16
  call void @llvm.nvvm.bar.warp.sync(i32 -1)
  %all = call { i32, i32, i32, i32 } @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.trans.b16.p3(ptr addrspace(3) %mine)
  %w0 = extractvalue { i32, i32, i32, i32 } %all, 0
  %w1 = extractvalue { i32, i32, i32, i32 } %all, 1
  %w2 = extractvalue { i32, i32, i32, i32 } %all, 2
  %w3 = extractvalue { i32, i32, i32, i32 } %all, 3
  call void @keep(ptr addrspace(1) %out, i32 0, i32 %w0)
  call void @keep(ptr addrspace(1) %out, i32 1, i32 %w1)
  call void @keep(ptr addrspace(1) %out, i32 2, i32 %w2)
  call void @keep(ptr addrspace(1) %out, i32 3, i32 %w3)
  %w4 = call i32 @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x1.b16.p3(ptr addrspace(3) %mine)
  call void @keep(ptr addrspace(1) %out, i32 4, i32 %w4)
  ret void
}

; Fragments as they lie in memory: in[word][lane], six words of A and B; the sums begin with 1.
define internal i32 @word(ptr addrspace(1) %in, i32 %i) {
  %lane = call i32 @llvm.nvvm.read.ptx.sreg.laneid()
  %first = mul i32 %i, 32
  %at = add i32 %first, %lane
  %from = getelementptr i32, ptr addrspace(1) %in, i32 %at
  %value = load i32, ptr addrspace(1) %from, align 4
  ret i32 %value
}

define ptx_kernel void @products(ptr addrspace(1) %in, ptr addrspace(1) %out) {
  %a0 = call i32 @word(ptr addrspace(1) %in, i32 0)
  %a1 = call i32 @word(ptr addrspace(1) %in, i32 1)
  %a2 = call i32 @word(ptr addrspace(1) %in, i32 2)
  %a3 = call i32 @word(ptr addrspace(1) %in, i32 3)
  %b0 = call i32 @word(ptr addrspace(1) %in, i32 4)
  %b1 = call i32 @word(ptr addrspace(1) %in, i32 5)
  %s = call { i32, i32, i32, i32 } @llvm.nvvm.mma.m16n8k32.row.col.s8(i32 %a0, i32 %a1, i32 %a2, i32 %a3, i32 %b0, i32 %b1, i32 1, i32 1, i32 1, i32 1)
  %s0 = extractvalue { i32, i32, i32, i32 } %s, 0
  %s1 = extractvalue { i32, i32, i32, i32 } %s, 1
  %s2 = extractvalue { i32, i32, i32, i32 } %s, 2
  %s3 = extractvalue { i32, i32, i32, i32 } %s, 3
  call void @keep(ptr addrspace(1) %out, i32 0, i32 %s0)
  call void @keep(ptr addrspace(1) %out, i32 1, i32 %s1)
  call void @keep(ptr addrspace(1) %out, i32 2, i32 %s2)
  call void @keep(ptr addrspace(1) %out, i32 3, i32 %s3)
  %f = call { float, float, float, float } @llvm.nvvm.mma.m16n8k16.row.col.bf16(i32 %a0, i32 %a1, i32 %a2, i32 %a3, i32 %b0, i32 %b1, float 1.0, float 1.0, float 1.0, float 1.0)
  %f0 = extractvalue { float, float, float, float } %f, 0
  %f1 = extractvalue { float, float, float, float } %f, 1
  %f2 = extractvalue { float, float, float, float } %f, 2
  %f3 = extractvalue { float, float, float, float } %f, 3
  %i0 = bitcast float %f0 to i32
  %i1 = bitcast float %f1 to i32
  %i2 = bitcast float %f2 to i32
  %i3 = bitcast float %f3 to i32
  call void @keep(ptr addrspace(1) %out, i32 4, i32 %i0)
  call void @keep(ptr addrspace(1) %out, i32 5, i32 %i1)
  call void @keep(ptr addrspace(1) %out, i32 6, i32 %i2)
  call void @keep(ptr addrspace(1) %out, i32 7, i32 %i3)
  %h0 = bitcast i32 %a0 to <2 x half>
  %h1 = bitcast i32 %a1 to <2 x half>
  %h2 = bitcast i32 %a2 to <2 x half>
  %h3 = bitcast i32 %a3 to <2 x half>
  %h4 = bitcast i32 %b0 to <2 x half>
  %h5 = bitcast i32 %b1 to <2 x half>
  %h = call { <2 x half>, <2 x half> } @llvm.nvvm.mma.m16n8k16.row.col.f16.f16(<2 x half> %h0, <2 x half> %h1, <2 x half> %h2, <2 x half> %h3, <2 x half> %h4, <2 x half> %h5, <2 x half> <half 1.0, half 1.0>, <2 x half> <half 1.0, half 1.0>)
  %g0 = extractvalue { <2 x half>, <2 x half> } %h, 0
  %g1 = extractvalue { <2 x half>, <2 x half> } %h, 1
  %j0 = bitcast <2 x half> %g0 to i32
  %j1 = bitcast <2 x half> %g1 to i32
  call void @keep(ptr addrspace(1) %out, i32 8, i32 %j0)
  call void @keep(ptr addrspace(1) %out, i32 9, i32 %j1)
  ret void
}

; Copies n of 4 bytes a lane through shared memory of the launch's size.
define ptx_kernel void @copies(ptr addrspace(1) %in, ptr addrspace(1) %out, i32 %n) {
  %lane = call i32 @llvm.nvvm.read.ptx.sreg.laneid()
  %from = getelementptr i32, ptr addrspace(1) %in, i32 %lane
  %mine = getelementptr i32, ptr addrspace(3) @room, i32 %lane
  call void @llvm.nvvm.cp.async.ca.shared.global.4.s(ptr addrspace(3) %mine, ptr addrspace(1) %from, i32 %n)
  %early = load i32, ptr addrspace(3) %mine, align 4
  call void @keep(ptr addrspace(1) %out, i32 0, i32 %early)
  call void @llvm.nvvm.cp.async.wait.all()
  %late = load i32, ptr addrspace(3) %mine, align 4
  call void @keep(ptr addrspace(1) %out, i32 1, i32 %late)
  %own = alloca [12 x i8], align 4
  call void @llvm.memcpy.p0.p1.i64(ptr %own, ptr addrspace(1) %in, i64 12, i1 false)
  %third = getelementptr i8, ptr %own, i32 8
  %value = load i32, ptr %third, align 4
  call void @keep(ptr addrspace(1) %out, i32 2, i32 %value)
  ret void
}
