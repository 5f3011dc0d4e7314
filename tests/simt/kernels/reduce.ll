; Sums of a row of n floats: each warp by a butterfly, then the warps through shared memory.
; The grid has a block of 128 threads for each row.
target triple = "nvptx64-nvidia-cuda"

@partial = internal addrspace(3) global [4 x float] undef, align 16

declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
declare float @llvm.nvvm.shfl.sync.bfly.f32(i32, float, i32, i32) convergent
declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32) convergent

define ptx_kernel void @row_sums(ptr addrspace(1) %in, ptr addrspace(1) %out, i32 %n) {
entry:
  %tid = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %row = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
  %first = mul i32 %row, %n
  br label %loop

loop:
  %i = phi i32 [ %tid, %entry ], [ %next, %body ]
  %sum = phi float [ 0.0, %entry ], [ %more, %body ]
  %isinside = icmp ult i32 %i, %n
  br i1 %isinside, label %body, label %end

body:
  %at = add i32 %first, %i
  %address = getelementptr float, ptr addrspace(1) %in, i32 %at
  %x = load float, ptr addrspace(1) %address, align 4
  %more = fadd float %sum, %x
  %next = add i32 %i, 128
  br label %loop

end:
  %s16 = call float @llvm.nvvm.shfl.sync.bfly.f32(i32 -1, float %sum, i32 16, i32 31)
  %a16 = fadd float %sum, %s16
  %s8 = call float @llvm.nvvm.shfl.sync.bfly.f32(i32 -1, float %a16, i32 8, i32 31)
  %a8 = fadd float %a16, %s8
  %s4 = call float @llvm.nvvm.shfl.sync.bfly.f32(i32 -1, float %a8, i32 4, i32 31)
  %a4 = fadd float %a8, %s4
  %s2 = call float @llvm.nvvm.shfl.sync.bfly.f32(i32 -1, float %a4, i32 2, i32 31)
  %a2 = fadd float %a4, %s2
  %s1 = call float @llvm.nvvm.shfl.sync.bfly.f32(i32 -1, float %a2, i32 1, i32 31)
  %a1 = fadd float %a2, %s1
  %warp = lshr i32 %tid, 5
  %lane = and i32 %tid, 31
  %isfirst = icmp eq i32 %lane, 0
  br i1 %isfirst, label %keep, label %meet

keep:
  %mine = getelementptr [4 x float], ptr addrspace(3) @partial, i32 0, i32 %warp
  store float %a1, ptr addrspace(3) %mine, align 4
  br label %meet

meet:
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %isone = icmp eq i32 %tid, 0
  br i1 %isone, label %finish, label %done

finish:
  %p0 = load float, ptr addrspace(3) @partial, align 4
  %p1 = load float, ptr addrspace(3) getelementptr ([4 x float], ptr addrspace(3) @partial, i32 0, i32 1), align 4
  %p2 = load float, ptr addrspace(3) getelementptr ([4 x float], ptr addrspace(3) @partial, i32 0, i32 2), align 4
  %p3 = load float, ptr addrspace(3) getelementptr ([4 x float], ptr addrspace(3) @partial, i32 0, i32 3), align 4
  %q0 = fadd float %p0, %p1
  %q1 = fadd float %p2, %p3
  %q = fadd float %q0, %q1
  %to = getelementptr float, ptr addrspace(1) %out, i32 %row
  store float %q, ptr addrspace(1) %to, align 4
  br label %done

done:
  ret void
}
