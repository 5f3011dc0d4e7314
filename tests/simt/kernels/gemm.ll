; C = A B' in tiles of 16 x 8, a warp each: A [m x k] and B [n x k] in f16, C [m x n] in f32, k a multiple of 16.
; Tiles of 16 columns come through shared memory by asynchronous copies, one stage ahead, and into registers by
; ldmatrix.
target triple = "nvptx64-nvidia-cuda"

@a = internal addrspace(3) global [2 x [16 x [16 x half]]] undef, align 16
@b = internal addrspace(3) global [2 x [8 x [16 x half]]] undef, align 16

declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.y()
declare void @llvm.nvvm.cp.async.cg.shared.global.16(ptr addrspace(3), ptr addrspace(1))
declare void @llvm.nvvm.cp.async.commit.group()
declare void @llvm.nvvm.cp.async.wait.group(i32 immarg)
declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32) convergent
declare { i32, i32, i32, i32 } @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16.p3(ptr addrspace(3)) convergent
declare { i32, i32 } @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x2.b16.p3(ptr addrspace(3)) convergent
declare { float, float, float, float } @llvm.nvvm.mma.m16n8k16.row.col.f32.f32(<2 x half>, <2 x half>, <2 x half>, <2 x half>, <2 x half>, <2 x half>, float, float, float, float)

; Begins to copy columns k to k + 15 to a stage: 16 bytes a lane of A, and of B by the lower half of the lanes.
define internal void @fetch(ptr addrspace(1) %pa, ptr addrspace(1) %pb, i32 %stage, i32 %k, i32 %width, i32 %tid) {
entry:
  %row = lshr i32 %tid, 1
  %half = and i32 %tid, 1
  %part = shl i32 %half, 3
  %column = add i32 %k, %part
  %line = mul i32 %row, %width
  %at = add i32 %line, %column
  %froma = getelementptr half, ptr addrspace(1) %pa, i32 %at
  %toa = getelementptr [2 x [16 x [16 x half]]], ptr addrspace(3) @a, i32 0, i32 %stage, i32 %row, i32 %part
  call void @llvm.nvvm.cp.async.cg.shared.global.16(ptr addrspace(3) %toa, ptr addrspace(1) %froma)
  %islower = icmp ult i32 %tid, 16
  br i1 %islower, label %ofb, label %done

ofb:
  %fromb = getelementptr half, ptr addrspace(1) %pb, i32 %at
  %tob = getelementptr [2 x [8 x [16 x half]]], ptr addrspace(3) @b, i32 0, i32 %stage, i32 %row, i32 %part
  call void @llvm.nvvm.cp.async.cg.shared.global.16(ptr addrspace(3) %tob, ptr addrspace(1) %fromb)
  br label %done

done:
  call void @llvm.nvvm.cp.async.commit.group()
  ret void
}

define ptx_kernel void @gemm(ptr addrspace(1) %A, ptr addrspace(1) %B, ptr addrspace(1) %C, i32 %n, i32 %width) {
entry:
  %tid = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %tm = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
  %tn = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.y()
  %m0 = shl i32 %tm, 4
  %n0 = shl i32 %tn, 3
  %linea = mul i32 %m0, %width
  %lineb = mul i32 %n0, %width
  %pa = getelementptr half, ptr addrspace(1) %A, i32 %linea
  %pb = getelementptr half, ptr addrspace(1) %B, i32 %lineb
  call void @fetch(ptr addrspace(1) %pa, ptr addrspace(1) %pb, i32 0, i32 0, i32 %width, i32 %tid)
  %rowa = and i32 %tid, 15
  %higha = lshr i32 %tid, 4
  %parta = shl i32 %higha, 3
  %rowb = and i32 %tid, 7
  %midb = lshr i32 %tid, 3
  %highb = and i32 %midb, 1
  %partb = shl i32 %highb, 3
  br label %loop

loop:
  %k = phi i32 [ 0, %entry ], [ %nextk, %compute ]
  %stage = phi i32 [ 0, %entry ], [ %other, %compute ]
  %c0 = phi float [ 0.0, %entry ], [ %d0, %compute ]
  %c1 = phi float [ 0.0, %entry ], [ %d1, %compute ]
  %c2 = phi float [ 0.0, %entry ], [ %d2, %compute ]
  %c3 = phi float [ 0.0, %entry ], [ %d3, %compute ]
  %nextk = add i32 %k, 16
  %other = xor i32 %stage, 1
  %ismore = icmp ult i32 %nextk, %width
  br i1 %ismore, label %ahead, label %last

ahead:
  call void @fetch(ptr addrspace(1) %pa, ptr addrspace(1) %pb, i32 %other, i32 %nextk, i32 %width, i32 %tid)
  call void @llvm.nvvm.cp.async.wait.group(i32 1)
  br label %ready

last:
  call void @llvm.nvvm.cp.async.wait.group(i32 0)
  br label %ready

ready:
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %aa = getelementptr [2 x [16 x [16 x half]]], ptr addrspace(3) @a, i32 0, i32 %stage, i32 %rowa, i32 %parta
  %ab = getelementptr [2 x [8 x [16 x half]]], ptr addrspace(3) @b, i32 0, i32 %stage, i32 %rowb, i32 %partb
  %fa = call { i32, i32, i32, i32 } @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16.p3(ptr addrspace(3) %aa)
  %fb = call { i32, i32 } @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x2.b16.p3(ptr addrspace(3) %ab)
  br label %compute

compute:
  %wa0 = extractvalue { i32, i32, i32, i32 } %fa, 0
  %wa1 = extractvalue { i32, i32, i32, i32 } %fa, 1
  %wa2 = extractvalue { i32, i32, i32, i32 } %fa, 2
  %wa3 = extractvalue { i32, i32, i32, i32 } %fa, 3
  %wb0 = extractvalue { i32, i32 } %fb, 0
  %wb1 = extractvalue { i32, i32 } %fb, 1
  %a0 = bitcast i32 %wa0 to <2 x half>
  %a1 = bitcast i32 %wa1 to <2 x half>
  %a2 = bitcast i32 %wa2 to <2 x half>
  %a3 = bitcast i32 %wa3 to <2 x half>
  %b0 = bitcast i32 %wb0 to <2 x half>
  %b1 = bitcast i32 %wb1 to <2 x half>
  %d = call { float, float, float, float } @llvm.nvvm.mma.m16n8k16.row.col.f32.f32(<2 x half> %a0, <2 x half> %a1, <2 x half> %a2, <2 x half> %a3, <2 x half> %b0, <2 x half> %b1, float %c0, float %c1, float %c2, float %c3)
  %d0 = extractvalue { float, float, float, float } %d, 0
  %d1 = extractvalue { float, float, float, float } %d, 1
  %d2 = extractvalue { float, float, float, float } %d, 2
  %d3 = extractvalue { float, float, float, float } %d, 3
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  br i1 %ismore, label %loop, label %store

store:
  %group = lshr i32 %tid, 2
  %quarter = and i32 %tid, 3
  %pair = shl i32 %quarter, 1
  %row0 = add i32 %m0, %group
  %row1 = add i32 %row0, 8
  %column = add i32 %n0, %pair
  %l0 = mul i32 %row0, %n
  %l1 = mul i32 %row1, %n
  %i0 = add i32 %l0, %column
  %i1 = add i32 %l1, %column
  %t0 = getelementptr float, ptr addrspace(1) %C, i32 %i0
  %t1 = getelementptr float, ptr addrspace(1) %C, i32 %i1
  %v0 = insertelement <2 x float> poison, float %d0, i32 0
  %v1 = insertelement <2 x float> %v0, float %d1, i32 1
  %u0 = insertelement <2 x float> poison, float %d2, i32 0
  %u1 = insertelement <2 x float> %u0, float %d3, i32 1
  store <2 x float> %v1, ptr addrspace(1) %t0, align 8
  store <2 x float> %u1, ptr addrspace(1) %t1, align 8
  ret void
}
