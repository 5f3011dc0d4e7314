// linear<b>.avx2
module {
  llvm.func @f() { llvm.return } // </script><img src=x onerror=alert(3)>
}

