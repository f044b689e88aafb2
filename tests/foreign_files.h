/* Files that others wrote, byte for byte, for the readers to be held to. */
#ifndef GRADUS_TEST_FOREIGN_FILES_H
#define GRADUS_TEST_FOREIGN_FILES_H

/* The zero at the end of the literal is not of the file. */
#define BYTES(file) (file), sizeof(file) - 1

/* safetensors.numpy.save, version 0.8.0: all types */
static const char st_all[] =
    "\310\003\000\000\000\000\000\000{\"__metadata__\":{\"made by\":\"safetensors 0.8, \303\274 \\\"x\\\""
    "\\n\"},\"ulong\":{\"dtype\":\"U64\",\"shape\":[1],\"data_offsets\":[0,8]},\"beyond\":{\"dtype\":\"I6"
    "4\",\"shape\":[2],\"data_offsets\":[8,24]},\"long\":{\"dtype\":\"I64\",\"shape\":[2],\"data_offsets"
    "\":[24,40]},\"caf\303\251 \\\"quoted\\\"\\n\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[40,"
    "48]},\"double\":{\"dtype\":\"F64\",\"shape\":[],\"data_offsets\":[48,56]},\"empty\":{\"dtype\":\"F32"
    "\",\"shape\":[0,3],\"data_offsets\":[56,56]},\"single\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_of"
    "fsets\":[56,80]},\"uint\":{\"dtype\":\"U32\",\"shape\":[1],\"data_offsets\":[80,84]},\"int\":{\"dtyp"
    "e\":\"I32\",\"shape\":[2],\"data_offsets\":[84,92]},\"half\":{\"dtype\":\"F16\",\"shape\":[3],\"data"
    "_offsets\":[92,98]},\"ushort\":{\"dtype\":\"U16\",\"shape\":[1],\"data_offsets\":[98,100]},\"short\""
    ":{\"dtype\":\"I16\",\"shape\":[1],\"data_offsets\":[100,102]},\"signed\":{\"dtype\":\"I8\",\"shape\""
    ":[2],\"data_offsets\":[102,104]},\"bytes\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[104,106"
    "]},\"mask\":{\"dtype\":\"BOOL\",\"shape\":[3],\"data_offsets\":[106,109]}}     \011\000\000\000\000"
    "\000\000\000\001\000\000\000\000\000\000\000\000\000\000\200\000\000\000\000\000\000\000\200\377\377"
    "\377\377\377\377\377\177\000\000\000\000\000\000\000\000\000\000\004@UUUUUU\325\277\000\000\200\077"
    "\000\000\000@\000\000@@\000\000\200@\000\000\240@\000\000\310@\007\000\000\000\000\000\000\200\377"
    "\377\377\177\000>\001\200\000|\377\377\000\200\200\177\000\377\001\000\001";

/* the same: what gr_save must write byte for byte */
static const char st_model[] =
    "\000\001\000\000\000\000\000\000{\"fc1.weight\":{\"dtype\":\"F64\",\"shape\":[2,3],\"data_offsets\":"
    "[0,48]},\"fc1.bias\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[48,60]},\"labels\":{\"dtype"
    "\":\"I32\",\"shape\":[3],\"data_offsets\":[60,72]},\"mask\":{\"dtype\":\"BOOL\",\"shape\":[2,1],\"da"
    "ta_offsets\":[72,74]}}       \000\000\000\000\000\000\000\000\000\000\000\000\000\000\320\077\000"
    "\000\000\000\000\000\340\077\000\000\000\000\000\000\350\077\000\000\000\000\000\000\360\077\000\000"
    "\000\000\000\000\364\077\000\000\200\077\000\000\200\277\000\000\000\077\003\000\000\000\001\000\000"
    "\000\002\000\000\000\001\000";

/* numpy.save, version 2.4.6: >f8 */
static const char npy_f8_big[] =
    "\223NUMPY\001\000v\000{'descr': '>f8', 'fortran_order': False, 'shape': (2, 3), }                   "
    "                                       \012\077\370\000\000\000\000\000\000\300\000\000\000\000\000"
    "\000\000@\010\000\000\000\000\000\000@\020\000\000\000\000\000\000@\024\000\000\000\000\000\000@\030"
    "\000\000\000\000\000\000";

/* <f4 in Fortran's order */
static const char npy_f4_fortran[] =
    "\223NUMPY\001\000v\000{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }                    "
    "                                       \012\000\000\000\000\000\000@@\000\000\200\077\000\000\200@"
    "\000\000\000@\000\000\240@";

/* >i2 in Fortran's order */
static const char npy_i2_fortran_big[] =
    "\223NUMPY\001\000v\000{'descr': '<i2', 'fortran_order': True, 'shape': (2, 3, 2), }                 "
    "                                       \012\372\377\000\000\374\377\002\000\376\377\004\000\373\377"
    "\001\000\375\377\003\000\377\377\005\000";

/* <i8, no axes */
static const char npy_scalar[] =
    "\223NUMPY\001\000v\000{'descr': '<i8', 'fortran_order': False, 'shape': (), }                       "
    "                                       \012\371\377\377\377\377\377\377\377";

/* no elements */
static const char npy_empty[] =
    "\223NUMPY\001\000v\000{'descr': '<f8', 'fortran_order': False, 'shape': (0, 3), }                   "
    "                                       \012";

/* |b1 */
static const char npy_bool[] =
    "\223NUMPY\001\000v\000{'descr': '|b1', 'fortran_order': False, 'shape': (3,), }                     "
    "                                       \012\001\000\001";

/* <f2 */
static const char npy_half[] =
    "\223NUMPY\001\000v\000{'descr': '<f2', 'fortran_order': False, 'shape': (3,), }                     "
    "                                       \012\000>\001\200\377{";

/* version 2.0 of the format */
static const char npy_v2[] =
    "\223NUMPY\002\000t\000\000\000{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }             "
    "                                             \012\001\002";

/* version 3.0 */
static const char npy_v3[] =
    "\223NUMPY\003\000t\000\000\000{'descr': '<i4', 'fortran_order': False, 'shape': (1,), }             "
    "                                             \012\003\000\000\000";

/* an element that i32 cannot hold */
static const char npy_long[] =
    "\223NUMPY\001\000v\000{'descr': '<i8', 'fortran_order': False, 'shape': (2,), }                     "
    "                                       \012\001\000\000\000\000\000\000\000\377\377\377\177\377\377"
    "\377\377";

/* >u8 */
static const char npy_ulong_big[] =
    "\223NUMPY\001\000v\000{'descr': '>u8', 'fortran_order': False, 'shape': (2,), }                     "
    "                                       \012\000\000\000\000\000\000\000\001\000\000\000\000\177\377"
    "\377\377";

/* texts */
static const char npy_text[] =
    "\223NUMPY\001\000v\000{'descr': '<U1', 'fortran_order': False, 'shape': (1,), }                     "
    "                                       \012a\000\000\000";

/* structures */
static const char npy_struct[] =
    "\223NUMPY\001\000v\000{'descr': [('a', '<i4'), ('b', '<f8')], 'fortran_order': False, 'shape': (1,),"
    " }                                     \012\001\000\000\000\000\000\000\000\000\000\000@";

/* complex numbers */
static const char npy_complex[] =
    "\223NUMPY\001\000v\000{'descr': '<c16', 'fortran_order': False, 'shape': (1,), }                    "
    "                                       \012\000\000\000\000\000\000\000\000\000\000\000\000\000\000"
    "\360\077";

/* nine axes */
static const char npy_nine[] =
    "\223NUMPY\001\000v\000{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 1, 1, 1, 1, 1, 1, 1),"
    " }                                     \012\000\000\000\000";

#endif
