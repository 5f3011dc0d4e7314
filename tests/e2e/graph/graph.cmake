# The graph decides: models edited by hand compute what their text says. Each is compiled twice, with all fusions and
# kernels, and from the decompositions alone; both must give the numbers of a plain forward pass in double precision
# (support/make_graph_references.py). For one instruction set: the graph knows none, and kernels of all are held by
# tests/codegen.
set(graph ${CMAKE_CURRENT_LIST_DIR})

# llmc_e2e_graph(<name> <reference file> [logits_test's options])
function(llmc_e2e_graph name reference)
  llmc_e2e_compile(graph-${name} ${graph}/${name}.mlir --activations f32 --cpu avx2)
  llmc_e2e_test(graph-${name} NEEDS graph-${name}
    COMMAND e2e_logits_test ${models}/graph-${name}.so ${reference} --variants avx2 --threads 1,2 ${ARGN})
  llmc_e2e_compile(graph-${name}-default ${graph}/${name}.mlir --default-kernels --cpu avx2)
  llmc_e2e_test(graph-${name}-default NEEDS graph-${name}-default
    COMMAND e2e_logits_test ${models}/graph-${name}-default.so ${reference} --variants avx2 --threads 2 ${ARGN})
  set_tests_properties(e2e-graph-${name} e2e-graph-${name}-default PROPERTIES PROCESSORS 2)
endfunction()

foreach(name
    activations
    bias
    double-norm
    dropped-residual
    gelu-erf
    gelu-tanh
    head-norm
    head-norm-shared
    layer-kinds
    layer-norm
    norm-after-attention
    norm-read-twice
    parallel
    positions
    rope-table
    rotations
    rows
    scaled
    softcap
    two-caches
    two-streams
    weight-algebra
    window
    window-table)
  llmc_e2e_graph(${name} ${graph}/${name}.logits --tolerance 1e-4)
endforeach()

# Another text of the checkpoint's own graph: the reference is that of the file itself.
llmc_e2e_graph(concat ${fixtures}/llama-gqa.logits --tolerance 1e-4)
llmc_e2e_graph(half-rotation ${fixtures}/llama-gqa.logits --tolerance 1e-4)
llmc_e2e_graph(other-order ${fixtures}/llama-gqa.logits --tolerance 1e-4)
llmc_e2e_graph(q8-moves ${fixtures}/llama-q8_0.logits --tolerance 1e-4)

# The normed row of 1, 2, 3, 4, 5 to four decimals: half a unit of the last, in standard deviations of the row (0.4264
# and 1).
llmc_e2e_graph(rms-norm-row ${graph}/rms-norm-row.logits --tolerance 1.17e-4)
llmc_e2e_graph(layer-norm-row ${graph}/layer-norm-row.logits --tolerance 5e-5)

# What --disable-pass leaves unfused runs the kernels of single ops, with per-layer numbers in them.
foreach(name rope-table window-table two-caches rotations)
  llmc_e2e_compile(graph-${name}-unfused ${graph}/${name}.mlir --activations f32 --cpu avx2
    --disable-pass fuse-rmsnorm-matmul --disable-pass fuse-swiglu --disable-pass fuse-qkv
    --disable-pass fuse-epilogue --disable-pass fuse-rope-attention)
  llmc_e2e_test(graph-${name}-unfused NEEDS graph-${name}-unfused
    COMMAND e2e_logits_test ${models}/graph-${name}-unfused.so ${graph}/${name}.logits --variants avx2 --threads 2
      --tolerance 1e-4)
  set_tests_properties(e2e-graph-${name}-unfused PROPERTIES PROCESSORS 2)
endforeach()
